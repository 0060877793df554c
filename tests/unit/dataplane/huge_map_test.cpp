// SPDX-License-Identifier: BSD-3-Clause
// Where tables get their memory: zeroed, aligned, given back, and of reserved hugepages only if there are enough.
#include "dataplane/flow/huge_map.h"

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::size_t kPage = std::size_t{2} << 20;
constexpr std::size_t kBytes = 2 * kPage + 100;

std::uint64_t free_pages() {
    std::ifstream file("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages");
    std::uint64_t pages = 0;
    file >> pages;
    return pages;
}

/// Reserved hugepages of this process, in KiB; DPDK's among them.
std::uint64_t taken_kib() {
    std::ifstream file("/proc/self/status");
    for (std::string word; file >> word;) {
        if (word == "HugetlbPages:") {
            std::uint64_t kib = 0;
            file >> kib;
            return kib;
        }
    }
    return 0;
}

Result<HugeMap> map(TablePages pages, std::size_t bytes = kBytes) {
    return HugeMap::create(bytes, pages, "workers.flow_table.capacity", "flows", "lower it");
}

void expect_usable(const HugeMap& memory) {
    ASSERT_NE(memory.base(), nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(memory.base()) % kPage, 0U);
    EXPECT_TRUE(std::all_of(memory.base(), memory.base() + kBytes, [](std::byte byte) {
        return byte == std::byte{0};
    }));
    memory.base()[0] = std::byte{1};
    memory.base()[kBytes - 1] = std::byte{1};
}

TEST(HugeMap, IsZeroedAndAlignedHoweverItIsMade) {
    for (const TablePages pages :
         {TablePages::when_touched, TablePages::resident, TablePages::reserved}) {
        const auto memory = map(pages);
        ASSERT_TRUE(memory) << memory.error().line();
        expect_usable(*memory);
        if (pages != TablePages::reserved) {
            EXPECT_EQ(memory->ordinary_bytes(), kBytes);
        }
    }
}

TEST(HugeMap, TakesReservedPagesAndGivesThemBack) {
    constexpr std::uint64_t kMargin = 64;  // others come and go
    if (free_pages() < kMargin) {
        GTEST_SKIP() << "skipped: no free hugepages of 2 MiB";
    }
    const std::uint64_t before = taken_kib();
    {
        auto memory = map(TablePages::reserved);
        ASSERT_TRUE(memory) << memory.error().line();
        EXPECT_EQ(memory->ordinary_bytes(), 0U);
        EXPECT_EQ(taken_kib(), before + 3 * kPage / 1024);
        const HugeMap moved = std::move(*memory);
        expect_usable(moved);
    }
    EXPECT_EQ(taken_kib(), before);
}

TEST(HugeMap, ReservedPagesThatDoNotSufficeAreLeftToOthers) {
    constexpr std::uint64_t kMost = 64;  // what it takes instead is real memory
    const std::uint64_t pages = free_pages();
    if (pages > kMost) {
        GTEST_SKIP() << "skipped: enough hugepages for anything";
    }
    const std::uint64_t before = taken_kib();
    const auto memory = map(TablePages::reserved, (pages + 1) * kPage);
    ASSERT_TRUE(memory) << memory.error().line();
    EXPECT_EQ(memory->ordinary_bytes(), (pages + 1) * kPage);
    EXPECT_EQ(taken_kib(), before);
}

TEST(HugeMap, NamesFieldAndFixWhereThereIsNoMemory) {
    const auto memory = map(TablePages::resident, std::size_t{1} << 62);
    ASSERT_FALSE(memory);
    const std::string line = memory.error().line();
    EXPECT_NE(line.find("workers.flow_table.capacity"), std::string::npos) << line;
    EXPECT_NE(line.find("MiB of flows"), std::string::npos) << line;
    EXPECT_NE(line.find("lower it"), std::string::npos) << line;
}

}  // namespace
}  // namespace weir::dataplane
