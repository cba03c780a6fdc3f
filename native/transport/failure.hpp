// What was half done, and can't be finished.
#pragma once

#include <exception>
#include <utility>

namespace transport {

/// Undoes what was begun where an exception ends its scope: who comes later finds nothing that is half done.
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
