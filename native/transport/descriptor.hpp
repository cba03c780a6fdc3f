// A file descriptor with one owner.
#pragma once

#include <unistd.h>

#include <utility>

namespace transport {

/// Owns a file descriptor, or none, and closes it when destroyed.
class Descriptor {
public:
    Descriptor(int owned = -1) : descriptor_(owned) {}
    Descriptor(Descriptor&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(descriptor_, other.descriptor_);
        return *this;
    }
    ~Descriptor() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }

    int get() const { return descriptor_; }
    explicit operator bool() const { return descriptor_ >= 0; }

private:
    int descriptor_;
};

}  // namespace transport
