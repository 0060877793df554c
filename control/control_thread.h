// SPDX-License-Identifier: BSD-3-Clause
// One thread that owns decisions: others only queue requests to it, so state changes have one order and one writer.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace weir::control {

/// Keeps the calling thread, and threads it starts from now on, on these CPUs. Empty: no change. False if the kernel
/// refuses (no such CPU, or outside the process's cpuset).
bool pin_this_thread(const std::vector<std::uint32_t>& cpus) noexcept;

/// CPUs that the calling thread may run on but for `workers`; all of them if nothing would be left. To be called
/// before rte_eal_init, which leaves its caller one CPU only.
[[nodiscard]] std::vector<std::uint32_t> cpus_without(const std::vector<std::uint32_t>& workers);

/// A thread with a bounded queue and periodic tasks. Tasks must not throw; one that does is logged and dropped.
/// Thread: post, call and stop from any thread; call and stop not from a task.
class ControlThread {
  public:
    using Task = std::function<void()>;
    using Clock = std::chrono::steady_clock;

    struct Periodic {
        std::chrono::milliseconds period{1000};
        Task task;
    };

    struct Options {
        std::string name;                 ///< ≤ 15 characters, as ps and top show it
        std::vector<std::uint32_t> cpus;  ///< where it may run; empty: anywhere
        std::size_t queue_capacity = 256;
        std::vector<Periodic> periodic;  ///< run in between queued tasks, never two at once
    };

    explicit ControlThread(Options options);
    ~ControlThread();  ///< stop()s
    ControlThread(const ControlThread&) = delete;
    ControlThread& operator=(const ControlThread&) = delete;

    /// Queues `task` behind all that were queued before. False, and the task is not kept, if the queue is full or the
    /// thread is stopping.
    [[nodiscard]] bool post(Task task);

    /// Runs `f` on the thread and returns its result; nullopt if it could not be queued.
    template <typename F>
    [[nodiscard]] std::optional<std::invoke_result_t<F>> call(F f) {
        using R = std::invoke_result_t<F>;
        struct Shared {
            std::mutex mutex;
            std::condition_variable done;
            std::optional<R> result;
            bool finished = false;
        };
        auto shared = std::make_shared<Shared>();
        // The guard tells the caller even if `f` throws: it goes when the task goes.
        auto guard = std::shared_ptr<void>(nullptr, [shared](void*) {
            const std::lock_guard lock(shared->mutex);
            shared->finished = true;
            shared->done.notify_all();
        });
        if (!post([shared, guard = std::move(guard), f = std::move(f)]() mutable {
                auto result = f();
                const std::lock_guard lock(shared->mutex);
                shared->result.emplace(std::move(result));
            })) {
            return std::nullopt;
        }
        std::unique_lock lock(shared->mutex);
        shared->done.wait(lock, [&] { return shared->finished; });
        return std::move(shared->result);
    }

    /// Refuses new tasks, runs those queued, ends the thread. Idempotent.
    void stop();

    [[nodiscard]] std::size_t queued() const;
    /// Tasks that post() refused because the queue was full.
    [[nodiscard]] std::uint64_t refused() const noexcept {
        return refused_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] bool on_this_thread() const noexcept {
        return std::this_thread::get_id() == thread_.get_id();
    }

  private:
    void run();
    void run_due(Clock::time_point now);
    [[nodiscard]] Clock::time_point next_due() const;

    Options options_;
    mutable std::mutex mutex_;
    std::condition_variable wake_;
    std::deque<Task> queue_;
    bool stopping_ = false;
    std::atomic<std::uint64_t> refused_{0};
    std::vector<Clock::time_point> due_;  ///< of options_.periodic, the thread's own
    std::mutex stop_mutex_;
    std::thread thread_;
};

}  // namespace weir::control
