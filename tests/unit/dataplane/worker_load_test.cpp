// SPDX-License-Identifier: BSD-3-Clause
// A worker under more than it can take, and under nothing at all.
#include "kernels/onednn/variants.h"
#include "worker_fixture.h"

#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <thread>

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <unistd.h>

namespace weir::dataplane {
namespace {

// The source never ends: each burst is full, so whatever the worker sheds, it stays pressed.
TEST_F(WorkerTest, OverloadShedsScoringStepByStepAndNoPacket) {
    WorkerOptions governed = options();
    governed.governor.enabled = true;
    governed.governor.up_windows = 4;
    governed.governor.down_windows = 1U << 30;  // of one tick each: a poll
    make_worker(std::move(governed));
    const WorkerStats& stats = worker_->stats();
    const auto scored = [&] { return stats.slots[0].scored.get() + stats.slots[1].scored.get(); };
    poll(1);
    EXPECT_GT(scored(), 100U) << "all of the burst, in both slots";
    std::array<std::uint64_t, kShedSteps> polls{};
    std::array<std::uint64_t, kShedSteps> rows{};
    for (int n = 0; n < 1000; ++n) {
        const std::uint64_t step = stats.shed_step.get();
        const std::uint64_t before = scored();
        poll(1);
        ++polls[step];
        rows[step] += scored() - before;
    }
    EXPECT_EQ(stats.shed_step.get(), static_cast<std::uint64_t>(ShedStep::forward));
    EXPECT_EQ(stats.shed_changes.get(), 3U);
    for (std::size_t step = 1; step < kShedSteps; ++step) {
        ASSERT_GT(polls[step], 0U);
        EXPECT_GT(stats.unscored[step].get(), 0U) << kShedStepNames[step];
    }
    EXPECT_EQ(stats.unscored[0].get(), 0U);
    EXPECT_EQ(rows[3], 0U) << "forward only";
    EXPECT_LT(rows[1] * polls[0], rows[0] * polls[1]) << "due packets are fewer than all";

    const std::uint64_t start = allocations.load();
    poll(100);
    EXPECT_EQ(allocations.load() - start, 0U);
    Totals totals;
    add_totals(stats, totals);
    EXPECT_EQ(totals.rx_packets, 1101U * 64);
    EXPECT_TRUE(totals.conserved());
    for (const DropReason reason : {DropReason::tx_queue_full, DropReason::tx_link_down}) {
        EXPECT_EQ(totals.drops[static_cast<std::size_t>(reason)], 0U);
    }
    EXPECT_GT(totals.marked, 0U) << "what was decided before goes on acting";
    EXPECT_EQ(
        stats.parsed[static_cast<std::size_t>(ParseResult::flow)].get(),
        scored() / 2 + stats.unscored[1].get() + stats.unscored[2].get() + stats.unscored[3].get() +
            stats.flows_refused.get())
        << "each packet of a flow was scored in both slots, or counted as not scored";
}

TEST_F(WorkerTest, WithoutAGovernorEveryDuePacketIsScored) {
    poll(1000);
    const WorkerStats& stats = worker_->stats();
    EXPECT_EQ(
        stats.slots[0].scored.get() + stats.flows_refused.get(),
        stats.parsed[static_cast<std::size_t>(ParseResult::flow)].get());
    EXPECT_EQ(stats.shed_changes.get(), 0U);
}

/// Stands for the thread's sleep: counts, and does what others do while a worker sleeps.
struct Nap {
    std::atomic<bool> stop{false};
    std::vector<std::uint32_t> us;
    std::function<void(std::size_t)> meanwhile;

    static void sleep(void* context, std::uint32_t us) {
        Nap& nap = *static_cast<Nap*>(context);
        nap.us.push_back(us);
        nap.meanwhile(nap.us.size());
    }
};

TEST_F(WorkerTest, AnIdleWorkerSleepsAndASwapDoesNotWaitForIt) {
    Nap nap;
    nap.meanwhile = [&](std::size_t sleeps) {
        if (sleeps == 2) {
            // On the worker's own thread: were it online, this would never return.
            publisher_->publish(build_snapshot(config_, models_, 2));
        } else if (sleeps == 6) {
            trace_.left = 5 * kBurst;
        } else if (sleeps == 8) {
            nap.stop.store(true);
        }
    };
    trace_.left = 10 * kBurst;
    WorkerOptions sleepy = options();
    sleepy.idle = {true, 0, 5, 50};
    sleepy.sleeper = {Nap::sleep, &nap};
    make_worker(std::move(sleepy));
    worker_->run(nap.stop);
    EXPECT_EQ(nap.us, (std::vector<std::uint32_t>{5, 10, 20, 40, 50, 50, 5, 10}));
    const WorkerStats& stats = worker_->stats();
    EXPECT_EQ(stats.sleeps.get(), 8U);
    EXPECT_EQ(stats.idle_polls.get(), 8U) << "one poll a sleep: hardly any CPU";
    EXPECT_EQ(stats.snapshot_generation.get(), 2U);
    Totals totals;
    add_totals(stats, totals);
    EXPECT_EQ(totals.rx_packets, 15U * kBurst);
    EXPECT_TRUE(totals.conserved());
}

TEST_F(WorkerTest, EachPacketIsInTheLatencyHistogramOnce) {
    poll(100);
    LatencyCounts counts{};
    worker_->stats().latency.add_to(counts);
    std::uint64_t packets = 0;
    for (const std::uint64_t count : counts) {
        packets += count;
    }
    EXPECT_EQ(packets, 6400U);
    EXPECT_LE(latency_quantile(counts, 0.5), latency_quantile(counts, 0.999));
    EXPECT_GT(worker_->stats().latency.longest.get(), 0U);
}

// ---- system calls ---------------------------------------------------------------------------------------------------

std::atomic<std::uint64_t> trapped{0};

void count_trap(int, siginfo_t*, void*) {
    trapped.fetch_add(1, std::memory_order_relaxed);
}

/// From now on every system call of this thread is trapped instead of done, but for those that end a thread.
[[nodiscard]] bool trap_system_calls() {
    struct sigaction action {};
    action.sa_sigaction = count_trap;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGSYS, &action, nullptr) != 0) {
        return false;
    }
    constexpr std::array<std::uint32_t, 5> kAllowed{
        __NR_rt_sigreturn, __NR_exit, __NR_madvise, __NR_munmap, __NR_rt_sigprocmask};
    std::array<sock_filter, 2 + 2 * kAllowed.size()> filter{};
    filter.front() = BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr));
    for (std::size_t n = 0; n < kAllowed.size(); ++n) {
        filter[1 + 2 * n] = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kAllowed[n], 0, 1);
        filter[2 + 2 * n] = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    }
    filter.back() = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
    const sock_fprog program{static_cast<unsigned short>(filter.size()), filter.data()};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST_F(WorkerTest, ABurstMakesNoSystemCall) {
#if WEIR_SANITIZED
    GTEST_SKIP() << "skipped: a sanitizer makes calls of its own";
#endif
    poll(200);
    bool trapping = false;
    std::uint64_t control = 0;
    std::uint64_t received = 0;
    std::thread([&] {
        // As run() begins, and a thread's first touch of whatever is its own: std::thread frees memory at its end.
        kernels::prepare_onednn_thread();
        void* volatile memory = std::malloc(1);
        std::free(memory);
        for (int n = 0; n < 200; ++n) {
            worker_->poll();
        }
        trapping = trap_system_calls();
        if (trapping) {
            syscall(__NR_getppid);
            control = trapped.exchange(0);
            for (int n = 0; n < 1000; ++n) {
                received += worker_->poll();
            }
        }
    }).join();
    if (!trapping) {
        GTEST_SKIP() << "skipped: no seccomp";
    }
    EXPECT_EQ(control, 1U) << "the trap counts";
    EXPECT_EQ(received, 1000 * kBurst);
    EXPECT_EQ(trapped.load(), 0U) << "in 1000 bursts";
}

}  // namespace
}  // namespace weir::dataplane
