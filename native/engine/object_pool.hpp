// Objects that are expensive to make, kept between uses and leased one caller at a time. Safe to use from several
// threads.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

namespace bothends {

/// Pool of objects that are made when none is idle, and leased to one caller at a time.
template <class Object>
class ObjectPool {
public:
    // The use of one object, which goes back to the pool when the lease ends.
    class Lease {
    public:
        Lease(ObjectPool& pool, std::unique_ptr<Object> object) : pool_(&pool), object_(std::move(object)) {}
        Lease(Lease&& other) = default;
        ~Lease() {
            if (object_) pool_->take_back(std::move(object_));
        }
        Object& operator*() const { return *object_; }
        Object* operator->() const { return object_.get(); }

    private:
        ObjectPool* pool_;
        std::unique_ptr<Object> object_;
    };

    // Leases an idle object, or the one that `make` returns where none is idle.
    template <class Make>
    Lease lease(Make make) {
        {
            const std::lock_guard lock(mutex_);
            if (!idle_.empty()) {
                std::unique_ptr<Object> object = std::move(idle_.back());
                idle_.pop_back();
                return Lease(*this, std::move(object));
            }
            idle_.reserve(++made_);  // so that taking one back never allocates
        }
        return Lease(*this, make());
    }

private:
    void take_back(std::unique_ptr<Object> object) {
        const std::lock_guard lock(mutex_);
        idle_.push_back(std::move(object));
    }

    std::mutex mutex_;
    std::vector<std::unique_ptr<Object>> idle_;
    std::size_t made_ = 0;
};

}  // namespace bothends
