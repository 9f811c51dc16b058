// Results that come later: what the functions of quorate.hpp that end in `_async` return.
#ifndef QUORATE_PENDING_HPP
#define QUORATE_PENDING_HPP

#include "quorate_base.hpp"

#include <future>
#include <memory>

namespace quorate {

template <class T> class pending;

namespace detail {

/// Who waits for a result; its address is the token.
struct waiting {
    virtual ~waiting() = default;
    virtual void finish(const quorate_result &raw) = 0;
};

template <class T> struct promised final : waiting {
    std::promise<result<T>> promise;
    T (*value)(const quorate_result &);

    explicit promised(T (*of)(const quorate_result &)) : value(of) {}
    void finish(const quorate_result &raw) override {
        promise.set_value(raw.status == QUORATE_OK ? result<T>(value(raw))
                                                   : result<T>(error(raw.error)));
    }
};

/// The completion function of every client.
inline void finished(void *, const quorate_result *const *results, size_t count) {
    for (size_t i = 0; i < count; i++)
        contained([&] {
            auto token = static_cast<uintptr_t>(results[i]->token);
            std::unique_ptr<waiting> own(reinterpret_cast<waiting *>(token));
            own->finish(*results[i]);
        });
}

template <class T, class F>
pending<T> submitted(T (*value)(const quorate_result &), F &&submit);
template <class T> pending<T> refused(error why);

} // namespace detail

/// A result on its way. Calls are carried out in the order in which they were made, whether
/// anybody waits for their results or not.
///
/// From one thread at a time. Dropping it gives up what it was after: a place in line for a
/// lock is left, a lock that was granted meanwhile is released. A request that was submitted is
/// not taken back by that.
template <class T> class pending {
  public:
    pending(pending &&other) noexcept
        : future_(std::move(other.future_)), call_(std::exchange(other.call_, 0)) {}
    pending &operator=(pending &&other) noexcept {
        if (this != &other) {
            cancel();
            future_ = std::move(other.future_);
            call_ = std::exchange(other.call_, 0);
        }
        return *this;
    }
    ~pending() { cancel(); }

    /// Waits for the result and takes it: once.
    result<T> try_get() { return future_.get(); }
    T get() { return try_get().value(); }
    /// Whether it is there, or comes within that time.
    bool wait(limit within = forever) const {
        if (within < limit::zero()) {
            future_.wait();
            return true;
        }
        return future_.wait_for(within) == std::future_status::ready;
    }
    /// Cancels what waits: a lock, a leadership. The result comes all the same:
    /// QUORATE_CANCELLED, or what it was when this came too late. False when there is nothing
    /// to cancel any more.
    bool cancel() noexcept {
        return call_ != 0 && quorate_call_cancel(std::exchange(call_, 0)) == QUORATE_OK;
    }

  private:
    template <class U, class F>
    friend pending<U> detail::submitted(U (*value)(const quorate_result &), F &&submit);
    template <class U> friend pending<U> detail::refused(error why);
    explicit pending(std::future<result<T>> future) : future_(std::move(future)) {}

    std::future<result<T>> future_;
    quorate_call_t call_ = 0;
};

namespace detail {

/// What `submit` begins, with a token and room for a call's handle. That it could not be begun
/// is a result, too.
template <class T, class F>
pending<T> submitted(T (*value)(const quorate_result &), F &&submit) {
    auto own = std::make_unique<promised<T>>(value);
    pending<T> later(own->promise.get_future());
    auto token =
        static_cast<uint64_t>(reinterpret_cast<uintptr_t>(static_cast<waiting *>(own.get())));
    if (submit(token, &later.call_) == QUORATE_OK)
        own.release();
    else
        own->promise.set_value(last());
    return later;
}

/// What was wrong before anything was begun.
template <class T> pending<T> refused(error why) {
    std::promise<result<T>> promise;
    promise.set_value(std::move(why));
    return pending<T>(promise.get_future());
}

} // namespace detail
} // namespace quorate

#endif
