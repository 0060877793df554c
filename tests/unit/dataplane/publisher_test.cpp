// SPDX-License-Identifier: BSD-3-Clause
// The swap: one writer publishes, workers score meanwhile. Built with TSan as well.
#include "dataplane/publisher.h"

#include "dataplane/score.h"
#include "kernels/classifier.h"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

// A model whose class is decided by its bias alone: class `cls` of two, whatever the input.
std::shared_ptr<const SlotModel> constant_model(std::uint8_t cls, std::uint16_t ref) {
    kernels::MlpLayer layer;
    layer.in = 4;
    layer.out = 2;
    layer.weights.assign(8, 0);
    layer.bias = {cls == 0 ? 1000 : 0, cls == 1 ? 1000 : 0};
    layer.multiplier.assign(2, 32767);
    auto model = std::make_shared<SlotModel>();
    model->classifier = std::move(*kernels::make_classifier(kernels::MlpSpec{{layer}}));
    model->classes = {"zero", "one"};
    model->class_ids = {0, 1};
    model->features = {0, 1, 2, 3};
    model->ref = ref;
    return model;
}

std::unique_ptr<Snapshot> snapshot_of(
    std::uint64_t generation, std::shared_ptr<const SlotModel> model) {
    auto snapshot = std::make_unique<Snapshot>();
    snapshot->generation = generation;
    for (const char* name : {"anomaly", "qos"}) {
        SnapshotSlot slot;
        slot.name = name;
        slot.active = model;
        snapshot->slots.push_back(std::move(slot));
    }
    return snapshot;
}

struct ScoreSpace {
    std::unique_ptr<Rows> rows = std::make_unique<Rows>();
    std::unique_ptr<ScoreScratch> scratch = std::make_unique<ScoreScratch>();
    std::unique_ptr<WorkerStats> stats = std::make_unique<WorkerStats>();

    // Scores a burst in both slots; true if every verdict is the one of a single model.
    [[nodiscard]] bool burst_is_whole(const Snapshot& snapshot) {
        constexpr std::uint32_t kRows = 37;
        for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
            (*rows)[s].count = kRows;
            (*rows)[s].stride = 4;
        }
        score(snapshot, *rows, *scratch, *stats);
        const std::uint8_t expected = snapshot.generation % 2 == 0 ? 0 : 1;
        for (std::size_t s = 0; s < snapshot.slots.size(); ++s) {
            for (std::uint32_t row = 0; row < kRows; ++row) {
                if ((*rows)[s].verdicts[row].cls != expected) {
                    return false;
                }
            }
        }
        return true;
    }
};

TEST(Publisher, StartsWithTheFirstSnapshot) {
    const auto publisher = std::move(*Publisher::create(1, snapshot_of(7, nullptr)));
    EXPECT_EQ(publisher->acquire()->generation, 7U);
    EXPECT_EQ(publisher->current().generation, 7U);
    EXPECT_EQ(publisher->swaps(), 0U);
}

TEST(Publisher, DoesNotWaitForWorkersThatAreOffline) {
    const auto publisher = std::move(*Publisher::create(4, snapshot_of(0, nullptr)));
    publisher->publish(snapshot_of(1, nullptr));
    EXPECT_EQ(publisher->acquire()->generation, 1U);
    EXPECT_EQ(publisher->swaps(), 1U);
}

TEST(Publisher, OldModelLivesUntilItsLastReaderIsQuiescent) {
    const auto publisher = std::move(*Publisher::create(1, snapshot_of(0, constant_model(0, 1))));
    const std::weak_ptr<const SlotModel> old = publisher->acquire()->slots[0].active;
    publisher->go_online(0);
    const Snapshot* held = publisher->acquire();
    std::atomic<bool> published{false};
    std::thread control([&] {
        publisher->publish(snapshot_of(1, constant_model(1, 2)));
        published.store(true);
    });
    while (publisher->acquire() == held) {
        std::this_thread::yield();
    }
    // The new one is out, this reader has not said that it is done with the old one.
    EXPECT_FALSE(old.expired());
    EXPECT_EQ(held->slots[0].active->ref, 1U);
    while (!published.load()) {
        publisher->quiescent(0);
        std::this_thread::yield();
    }
    control.join();
    EXPECT_TRUE(old.expired());
    publisher->go_offline(0);
}

TEST(Publisher, NoBurstMixesModelsUnderASwapStorm) {
    constexpr std::uint32_t kReaders = 2;
    constexpr std::uint64_t kSwaps = 2000;
    const auto publisher =
        std::move(*Publisher::create(kReaders, snapshot_of(0, constant_model(0, 1))));
    std::atomic<bool> stop{false};
    std::atomic<std::uint64_t> mixed{0};
    std::atomic<std::uint64_t> bursts{0};
    std::vector<std::thread> workers;
    for (std::uint32_t reader = 0; reader < kReaders; ++reader) {
        workers.emplace_back([&, reader] {
            ScoreSpace space;
            publisher->go_online(reader);
            std::uint64_t last_generation = 0;
            while (!stop.load(std::memory_order_relaxed)) {
                publisher->quiescent(reader);
                const Snapshot& snapshot = *publisher->acquire();
                const bool backwards = snapshot.generation < last_generation;
                last_generation = snapshot.generation;
                mixed.fetch_add(
                    static_cast<std::uint64_t>(backwards || !space.burst_is_whole(snapshot)));
                bursts.fetch_add(1, std::memory_order_relaxed);
            }
            publisher->go_offline(reader);
        });
    }
    for (std::uint64_t generation = 1; generation <= kSwaps; ++generation) {
        const auto cls = static_cast<std::uint8_t>(generation % 2);
        publisher->publish(
            snapshot_of(generation, constant_model(cls, static_cast<std::uint16_t>(generation))));
    }
    while (bursts.load() == 0) {
        std::this_thread::yield();
    }
    stop.store(true);
    for (std::thread& worker : workers) {
        worker.join();
    }
    EXPECT_EQ(mixed.load(), 0U);
    EXPECT_EQ(publisher->swaps(), kSwaps);
}

}  // namespace
}  // namespace weir::dataplane
