// SPDX-License-Identifier: BSD-3-Clause
// What scoring by oneDNN asks of malloc: counted by taking malloc's place. Not built with sanitizers, whose it is.
#include "kernels/onednn/variants.h"
#include "tests/kernels/mlp_cases.h"

#include <cerrno>
#include <cstdlib>

#include <gtest/gtest.h>
#include <malloc.h>

namespace {

struct Counts {
    bool on = false;
    long taken = 0;
    long freed = 0;
    std::size_t largest = 0;
};
thread_local constinit Counts counts;

void count(std::size_t size) {
    if (counts.on) {
        ++counts.taken;
        counts.largest = size > counts.largest ? size : counts.largest;
    }
}

}  // namespace

// glibc's own, under the names it keeps for replacements.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t count, std::size_t size);
void* __libc_realloc(void* block, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* block);

void* malloc(std::size_t size) {
    count(size);
    return __libc_malloc(size);
}
void* calloc(std::size_t number, std::size_t size) {
    count(number * size);
    return __libc_calloc(number, size);
}
void* realloc(void* block, std::size_t size) {
    count(size);
    return __libc_realloc(block, size);
}
void* memalign(std::size_t alignment, std::size_t size) {
    count(size);
    return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) {
    return memalign(alignment, size);
}
int posix_memalign(void** to, std::size_t alignment, std::size_t size) {
    *to = memalign(alignment, size);
    return *to == nullptr ? ENOMEM : 0;
}
void free(void* block) {
    if (counts.on && block != nullptr) {
        ++counts.freed;
    }
    __libc_free(block);
}
}

namespace weir::kernels {
namespace {

constexpr std::uint32_t kRows = 64;

struct alignas(64) Line {
    std::byte bytes[64];
};

// Counts of one score call on a prepared thread, after a first one.
Counts score_counted(const Classifier& classifier, std::uint32_t n) {
    prepare_onednn_thread();
    const std::vector<std::uint8_t> rows(std::size_t{n} * classifier.inputs(), 7);
    std::vector<std::int32_t> out(std::size_t{n} * classifier.outputs());
    std::vector<Line> scratch(classifier.scratch_bytes() / sizeof(Line) + 1);
    const auto score = [&] {
        classifier.score(
            rows.data(),
            classifier.inputs(),
            n,
            out.data(),
            reinterpret_cast<std::byte*>(scratch.data()));
    };
    score();
    counts = {.on = true};
    score();
    counts.on = false;
    return counts;
}

std::unique_ptr<Classifier> classifier_of(std::size_t hidden_layers) {
    std::mt19937 random(5);
    std::vector<std::uint32_t> widths(hidden_layers + 2, 96);
    widths.back() = 4;
    const OnednnSpec spec{
        OnednnInt8{testing::make_spec(widths, testing::Values::trained, random).layers}};
    return make_onednn_classifier(spec, onednn_isas(spec).back()).value();
}

TEST(OnednnAllocations, TheCounterCounts) {
    counts = {.on = true};
    void* volatile block = std::malloc(77);
    std::free(block);
    counts.on = false;
    EXPECT_EQ(counts.taken, 1);
    EXPECT_EQ(counts.freed, 1);
    EXPECT_EQ(counts.largest, 77U);
}

TEST(OnednnAllocations, OnlyArgumentTablesAndAllGivenBack) {
    constexpr long kBlocksOfAnExecution = 8;  // a hash map's nodes and buckets
    for (const std::size_t hidden : {0U, 1U, 4U, 15U}) {
        const auto classifier = classifier_of(hidden);
        const Counts one = score_counted(*classifier, kRows);
        EXPECT_EQ(one.taken, one.freed);
        EXPECT_LE(one.taken, kBlocksOfAnExecution * static_cast<long>(hidden + 1));
        EXPECT_LT(one.largest, 200U);
    }
}

TEST(OnednnAllocations, OursAreNone) {
    // If a batch, a layer or a row of ours took a block, the count an execution would differ between these.
    const auto shallow = classifier_of(1);
    const auto deep = classifier_of(15);
    const long an_execution = score_counted(*shallow, kRows).taken / 2;
    EXPECT_EQ(score_counted(*shallow, kRows).taken, 2 * an_execution);
    EXPECT_EQ(score_counted(*deep, kRows).taken, 16 * an_execution);
    EXPECT_EQ(score_counted(*deep, 1).taken, 16 * an_execution);
}

TEST(OnednnAllocations, TheHeapDoesNotGrow) {
    const auto classifier = classifier_of(4);
    score_counted(*classifier, kRows);
    const struct mallinfo2 before = mallinfo2();
    for (int call = 0; call < 1000; ++call) {
        score_counted(*classifier, kRows);
    }
    const struct mallinfo2 after = mallinfo2();
    EXPECT_EQ(after.arena, before.arena);
    EXPECT_EQ(after.hblkhd, before.hblkhd);
}

}  // namespace
}  // namespace weir::kernels
