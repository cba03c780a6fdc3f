// What one thread at a time does.
#pragma once

#include <atomic>

namespace transport {

/// Marks, while it exists, that its thread does something that one thread at a time does. False if another does it
/// already; then nothing is marked.
class Claim {
public:
    explicit Claim(std::atomic<bool>& claimed) : claimed_(claimed), is_own_(!claimed.exchange(true)) {}
    ~Claim() {
        if (is_own_) claimed_ = false;
    }
    Claim(const Claim&) = delete;
    Claim& operator=(const Claim&) = delete;

    explicit operator bool() const { return is_own_; }

private:
    std::atomic<bool>& claimed_;
    const bool is_own_;
};

}  // namespace transport
