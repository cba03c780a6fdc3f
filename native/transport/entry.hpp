// An element of a container, which is removed from it with its owner.
#pragma once

#include <iterator>
#include <utility>

namespace transport {

/// Membership in at most one standard container whose iterators stay valid; in none at first.
template <class Container>
class Entry {
public:
    Entry() = default;
    ~Entry() { leave(); }
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    /// Removes itself from its container, and stands for `element` of `container` instead.
    void stand_for(Container& container, typename Container::iterator element) {
        leave();
        in_ = &container;
        element_ = element;
    }

    void leave() {
        if (in_) std::exchange(in_, nullptr)->erase(element_);
    }

    explicit operator bool() const { return in_ != nullptr; }
    typename Container::iterator element() const { return element_; }

private:
    Container* in_ = nullptr;
    typename Container::iterator element_;
};

}  // namespace transport
