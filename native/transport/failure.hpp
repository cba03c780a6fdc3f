// A guard for changes that fail halfway.
#pragma once

#include <exception>
#include <utility>

namespace transport {

/// Calls `undo` if an exception ends its scope, so that nothing is left half done.
template <class Undo>
class OnFailure {
public:
    explicit OnFailure(Undo undo) : undo_(std::move(undo)) {}
    ~OnFailure() {
        if (std::uncaught_exceptions() > before_) undo_();
    }
    OnFailure(const OnFailure&) = delete;
    OnFailure& operator=(const OnFailure&) = delete;

private:
    const int before_ = std::uncaught_exceptions();
    Undo undo_;
};

}  // namespace transport
