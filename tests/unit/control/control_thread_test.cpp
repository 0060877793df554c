// SPDX-License-Identifier: BSD-3-Clause
#include "control/control_thread.h"

#include <atomic>
#include <future>
#include <memory>
#include <semaphore>
#include <stdexcept>

#include <gtest/gtest.h>
#include <sched.h>

namespace weir::control {
namespace {

using namespace std::chrono_literals;

/// Keeps the thread busy until released. The task shares what it waits on: it may still be
/// on its way to waiting when the test that opened the gate has ended.
class Gate {
  public:
    void hold(ControlThread& thread) {
        ASSERT_TRUE(thread.post([latches = latches_] {
            latches->entered.release();
            latches->opened.acquire();
        }));
        latches_->entered.acquire();
    }
    void open() { latches_->opened.release(); }

  private:
    struct Latches {
        std::binary_semaphore entered{0};
        std::binary_semaphore opened{0};
    };
    std::shared_ptr<Latches> latches_ = std::make_shared<Latches>();
};

TEST(ControlThread, RunsInTheOrderOfQueueing) {
    ControlThread thread({.name = "test"});
    std::vector<int> order;
    Gate gate;
    gate.hold(thread);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(thread.post([&order, i] { order.push_back(i); }));
    }
    gate.open();
    EXPECT_EQ(thread.call([&order] { return order.size(); }), 100u);
    for (int i = 0; i < 100; ++i) {
        EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
    }
}

TEST(ControlThread, ManyPostersOneWriter) {
    ControlThread thread({.name = "test", .queue_capacity = 1 << 20});
    int unguarded = 0;
    std::vector<std::thread> posters;
    for (int p = 0; p < 4; ++p) {
        posters.emplace_back([&] {
            for (int i = 0; i < 1000; ++i) {
                ASSERT_TRUE(thread.post([&unguarded] { ++unguarded; }));
            }
        });
    }
    for (auto& poster : posters) {
        poster.join();
    }
    EXPECT_EQ(thread.call([&] { return unguarded; }), 4000);
}

TEST(ControlThread, RefusesWhatDoesNotFit) {
    ControlThread thread({.name = "test", .queue_capacity = 3});
    Gate gate;
    gate.hold(thread);
    for (int i = 0; i < 3; ++i) {
        EXPECT_TRUE(thread.post([] {}));
    }
    EXPECT_EQ(thread.queued(), 3u);
    EXPECT_FALSE(thread.post([] {}));
    EXPECT_FALSE(thread.call([] { return 1; }));
    EXPECT_EQ(thread.refused(), 2u);
    gate.open();
}

TEST(ControlThread, StopRunsWhatWasQueuedAndRefusesMore) {
    auto thread = std::make_unique<ControlThread>(
        ControlThread::Options{.name = "test", .queue_capacity = 1 << 24});
    std::atomic<int> ran{0};
    Gate gate;
    gate.hold(*thread);
    for (int i = 0; i < 10; ++i) {
        ASSERT_TRUE(thread->post([&ran] { ++ran; }));
    }
    std::thread stopper([&] { thread->stop(); });
    // stop() has begun once nothing more is taken.
    int queued = 10;
    while (thread->post([&ran] { ++ran; })) {
        ++queued;
        std::this_thread::yield();
    }
    gate.open();
    stopper.join();
    EXPECT_EQ(ran.load(), queued);
    EXPECT_FALSE(thread->post([] {}));
    EXPECT_FALSE(thread->call([] { return 1; }));
    thread->stop();
}

TEST(ControlThread, AThrowingTaskEndsNeitherThreadNorCaller) {
    ControlThread thread({.name = "test"});
    EXPECT_FALSE(thread.call([]() -> int { throw std::runtime_error("expected by the test"); }));
    EXPECT_EQ(thread.call([] { return 7; }), 7);
}

TEST(ControlThread, PeriodicTasksRunBetweenRequests) {
    std::promise<void> thrice;
    int runs = 0;
    std::atomic<bool> on_thread{true};
    ControlThread* self = nullptr;
    std::promise<void> known;
    ControlThread thread(
        {.name = "test", .periodic = {{1ms, [&, ready = known.get_future().share()] {
                                           ready.wait();
                                           on_thread = on_thread && self->on_this_thread();
                                           if (++runs == 3) {
                                               thrice.set_value();
                                           }
                                       }}}});
    self = &thread;
    known.set_value();
    ASSERT_EQ(thrice.get_future().wait_for(30s), std::future_status::ready);
    EXPECT_EQ(thread.call([] { return 1; }), 1);
    EXPECT_TRUE(on_thread);
}

TEST(ControlThread, StaysOnItsCpus) {
    const auto all = cpus_without({});
    ASSERT_FALSE(all.empty());
    ControlThread thread({.name = "test", .cpus = {all.back()}});
    const auto seen = thread.call([] { return cpus_without({}); });
    EXPECT_EQ(seen, std::vector<std::uint32_t>{all.back()});
}

TEST(ControlThread, CpusWithoutWorkers) {
    const auto all = cpus_without({});
    const auto rest = cpus_without({all.front()});
    if (all.size() > 1) {
        EXPECT_EQ(rest, std::vector<std::uint32_t>(all.begin() + 1, all.end()));
    } else {
        EXPECT_EQ(rest, all) << "better shared than nowhere";
    }
    EXPECT_FALSE(pin_this_thread({100'000}));
}

}  // namespace
}  // namespace weir::control
