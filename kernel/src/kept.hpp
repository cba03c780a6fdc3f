// Things that are expensive to make, kept for whoever needs one next. Safe to use from several threads.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bothends {

template <class Thing>
class Kept {
public:
    // A thing for the time being: one that is kept, else what `make` makes.
    class Lent {
    public:
        Lent(Kept& kept, std::unique_ptr<Thing> thing) : kept_(kept), thing_(std::move(thing)) {}
        Lent(const Lent&) = delete;
        ~Lent() { kept_.take_back(std::move(thing_)); }
        Thing& operator*() const { return *thing_; }
        Thing* operator->() const { return thing_.get(); }

    private:
        Kept& kept_;
        std::unique_ptr<Thing> thing_;
    };

    template <class Make>
    Lent lend(Make make) {
        {
            const std::lock_guard lock(mutex_);
            if (!things_.empty()) {
                std::unique_ptr<Thing> thing = std::move(things_.back());
                things_.pop_back();
                return Lent(*this, std::move(thing));
            }
            things_.reserve(++made_);  // so that taking one back never allocates
        }
        return Lent(*this, make());
    }

private:
    void take_back(std::unique_ptr<Thing> thing) {
        const std::lock_guard lock(mutex_);
        things_.push_back(std::move(thing));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Thing>> things_;
    std::size_t made_ = 0;
};

}  // namespace bothends
