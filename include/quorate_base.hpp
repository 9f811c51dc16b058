// What all of quorate.hpp stands on: errors, results, handles that close themselves.
#ifndef QUORATE_BASE_HPP
#define QUORATE_BASE_HPP

#include "quorate.h"

#include <chrono>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace quorate {

/// A time limit, and none.
using limit = std::chrono::milliseconds;
inline constexpr limit forever{QUORATE_NO_LIMIT};

/// Any version will do.
inline constexpr int32_t any_version = QUORATE_ANY_VERSION;

using stat = quorate_stat;

/// Why something failed.
class error : public std::runtime_error {
  public:
    explicit error(const quorate_error *from)
        : std::runtime_error(quorate_error_message(from)), code_(quorate_error_code(from)),
          operation_(quorate_error_operation(from)), path_(quorate_error_path(from)),
          outcome_unknown_(quorate_error_outcome_unknown(from) != 0),
          part_(quorate_error_part(from)) {}

    /// QUORATE_NO_NODE and so on.
    int32_t code() const noexcept { return code_; }
    /// `NoNode` and so on.
    const char *name() const noexcept { return quorate_status_name(code_); }
    /// ZooKeeper's name for the operation, or the recipe's.
    const std::string &operation() const noexcept { return operation_; }
    /// The node; empty when none is concerned.
    const std::string &path() const noexcept { return path_; }
    /// Whether it may have happened all the same.
    bool outcome_unknown() const noexcept { return outcome_unknown_; }
    /// Which part of a multi failed; -1 for none.
    int32_t part() const noexcept { return part_; }

  private:
    int32_t code_;
    std::string operation_, path_;
    bool outcome_unknown_;
    int32_t part_;
};

/// A value, or the error instead of it.
template <class T> class [[nodiscard]] result {
  public:
    result(T value) : value_(std::move(value)) {}
    result(quorate::error error) : error_(std::move(error)) {}

    bool ok() const noexcept { return value_.has_value(); }
    explicit operator bool() const noexcept { return ok(); }
    /// The value; throws the error when there is none.
    T &&value() && {
        if (!value_)
            throw std::move(*error_);
        return std::move(*value_);
    }
    T &value() & {
        if (!value_)
            throw *error_;
        return *value_;
    }
    T &operator*() &noexcept { return *value_; }
    T *operator->() noexcept { return &*value_; }
    /// The error; only when there is no value.
    const quorate::error &failure() const noexcept { return *error_; }
    /// QUORATE_OK or the error's code.
    int32_t code() const noexcept { return error_ ? error_->code() : QUORATE_OK; }

  private:
    std::optional<T> value_;
    std::optional<quorate::error> error_;
};

/// What has no value.
struct done {};

/// Takes the exceptions that leave callbacks; called by the thread that called back.
inline std::function<void(std::exception_ptr)> &on_exception() {
    static std::function<void(std::exception_ptr)> handler;
    return handler;
}

namespace detail {

inline error last() { return error(quorate_last_error()); }

template <class T, class F> result<T> checked(int32_t status, F &&value) {
    if (status != QUORATE_OK)
        return last();
    return value();
}

inline result<done> checked(int32_t status) {
    if (status != QUORATE_OK)
        return last();
    return done{};
}

/// What a wait for an end says: true, or false when the time is over.
inline result<bool> ended(int32_t status) {
    if (status == QUORATE_TIMED_OUT)
        return false;
    return checked<bool>(status, [] { return true; });
}

inline const uint8_t *bytes(std::string_view data) {
    return reinterpret_cast<const uint8_t *>(data.data());
}

/// A quorate_result that clears itself.
struct answer {
    quorate_result raw{};
    answer() { raw.size = sizeof raw; }
    answer(const answer &) = delete;
    answer &operator=(const answer &) = delete;
    ~answer() { quorate_result_clear(&raw); }
};

/// A handle that is closed once.
template <int32_t (*Close)(uint64_t)> class handle {
  public:
    handle() = default;
    explicit handle(uint64_t id) : id_(id) {}
    handle(handle &&other) noexcept : id_(other.release()) {}
    handle &operator=(handle &&other) noexcept {
        if (this != &other) {
            reset();
            id_ = other.release();
        }
        return *this;
    }
    ~handle() { reset(); }

    uint64_t get() const noexcept { return id_; }
    uint64_t release() noexcept { return std::exchange(id_, 0); }
    void reset() noexcept {
        if (id_ != 0)
            Close(release());
    }

  private:
    uint64_t id_ = 0;
};

template <class F> void contained(F &&work) noexcept {
    try {
        work();
    } catch (...) {
        try {
            if (on_exception())
                on_exception()(std::current_exception());
        } catch (...) {
        }
    }
}

template <class F> void destroy(void *user) noexcept { delete static_cast<F *>(user); }

} // namespace detail
} // namespace quorate

#endif
