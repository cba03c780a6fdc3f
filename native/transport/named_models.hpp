// The models that a method's requests may ask for, by their names.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec.hpp"

namespace transport {

/// Model as requests name it and responses show it.
struct NamedModel {
    std::vector<std::string> names;    // by which requests ask for it; an empty one is for those that name none
    std::string shown, version;        // its name and version, as responses have them
    std::size_t dimension = 0;         // of its embeddings
    std::vector<std::size_t> sizes{};  // that it offers
};

/// Models by name, in the order of a fast path's models.
class NamedModels {
public:
    explicit NamedModels(std::vector<NamedModel> models) : models_(std::move(models)) {}

    /// Sets the model of a request by name; returns false if the name is unknown, or that model doesn't offer
    /// embeddings of the requested size.
    bool choose(std::string_view name, Request& request) const {
        const auto has_it = [name](const NamedModel& model) {
            return std::find(model.names.begin(), model.names.end(), name) != model.names.end();
        };
        const auto found = std::find_if(models_.begin(), models_.end(), has_it);
        if (found == models_.end() || !offers(found->sizes, request.options.dimensions)) return false;
        request.model = std::size_t(found - models_.begin());
        return true;
    }

    const NamedModel& of(const Request& request) const { return models_[request.model]; }

    /// Returns the size of each embedding of a request's model.
    std::size_t numbers_of(const Request& request) const {
        return request.options.dimensions ? request.options.dimensions : of(request).dimension;
    }

private:
    std::vector<NamedModel> models_;
};

}  // namespace transport
