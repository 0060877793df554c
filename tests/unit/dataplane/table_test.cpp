// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/flow/table.h"

#include "dataplane/features/host.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint64_t kUs = 1000;

FlowKey key_of(std::uint64_t n, std::uint8_t proto = 17) {
    FlowKey key;
    std::memcpy(key.addr_lo.data(), &n, sizeof(n));
    key.port_hi = 53;
    key.proto = proto;
    key.ip_version = 6;
    return key;
}

std::unique_ptr<FlowTable> make_table(
    std::uint32_t capacity, std::uint64_t seed = 1, std::uint32_t slots = 2) {
    FlowTable::Options options;
    options.config.capacity = capacity;
    options.slots = slots;
    options.seed = seed;
    return std::move(*FlowTable::create(options));
}

TEST(FlowTable, RefusesCapacitiesOutOfRange) {
    for (const std::uint32_t capacity : {0u, 63u, (1u << 26) + 1}) {
        FlowTable::Options options;
        options.config.capacity = capacity;
        const auto table = FlowTable::create(options);
        ASSERT_FALSE(table) << capacity;
        EXPECT_EQ(table.error().field, "workers.flow_table.capacity");
    }
}

TEST(FlowTable, FindsWhatWasPutInAndNothingElse) {
    const auto table = make_table(4096);
    std::map<std::uint64_t, std::uint32_t> where;
    for (std::uint64_t n = 0; n < 2000; ++n) {
        const FlowKey key = key_of(n);
        const std::uint64_t hash = table->hash(key);
        ASSERT_EQ(table->find(key, hash), kNoFlow);
        const std::uint32_t slot = table->choose_slot(hash, kSecond);
        ASSERT_NE(slot, kNoFlow);
        ASSERT_FALSE(table->occupied(slot)) << "half full: a free slot must be found";
        table->occupy(slot, key, hash);
        where[n] = slot;
    }
    EXPECT_EQ(table->live(), 2000U);
    for (const auto& [n, slot] : where) {
        EXPECT_EQ(table->find(key_of(n), table->hash(key_of(n))), slot);
    }
    EXPECT_EQ(table->find(key_of(5000), table->hash(key_of(5000))), kNoFlow);
    table->release(where[7]);
    EXPECT_EQ(table->find(key_of(7), table->hash(key_of(7))), kNoFlow);
    EXPECT_EQ(table->live(), 1999U);
}

TEST(FlowTable, KeysThatDifferInOneBitAreDifferentFlows) {
    const auto table = make_table(4096);
    const FlowKey base = key_of(0x123456789abcdefU);
    const std::uint64_t hash = table->hash(base);
    table->occupy(table->choose_slot(hash, 0), base, hash);
    for (std::size_t bit = 0; bit < FlowKey::kBytes * 8; ++bit) {
        FlowKey other = base;
        reinterpret_cast<std::uint8_t*>(&other)[bit / 8] ^=
            static_cast<std::uint8_t>(1U << (bit % 8));
        EXPECT_NE(table->hash(other), hash) << bit;
        // Even with the very same hash the key decides.
        EXPECT_EQ(table->find(other, hash), kNoFlow) << bit;
    }
}

TEST(FlowTable, HashDependsOnTheSeedAndSpreads) {
    const auto one = make_table(65536, 1);
    const auto two = make_table(65536, 2);
    std::set<std::uint64_t> buckets;
    int same = 0;
    for (std::uint64_t n = 0; n < 4096; ++n) {
        const std::uint64_t hash = one->hash(key_of(n));
        buckets.insert(hash & 4095U);
        same += static_cast<int>((hash & 4095U) == (two->hash(key_of(n)) & 4095U));
    }
    // 4096 random keys over 4096 buckets hit 63 % of them.
    EXPECT_GT(buckets.size(), 2400U);
    EXPECT_LT(buckets.size(), 2800U);
    EXPECT_LT(same, 12);
}

// A table with one flow in it.
struct OneFlow {
    std::unique_ptr<FlowTable> table = make_table(64);
    FlowKey key = key_of(1);
    std::uint64_t hash = table->hash(key);
    std::uint32_t slot = table->choose_slot(hash, 0);

    OneFlow() { table->occupy(slot, key, hash); }
};

TEST(FlowTable, OccupyStartsFromZero) {
    const OneFlow one;
    const auto& [table, key, hash, slot] = one;
    (*table)[slot].packets = {7, 9};
    table->verdicts(slot)[1].cls = 3;
    table->release(slot);
    const Flow& again = table->occupy(slot, key, hash);
    EXPECT_EQ(again.packets[0] + again.packets[1], 0U);
    EXPECT_EQ(table->verdicts(slot)[1].cls, kNoClass);
    EXPECT_EQ(table->phase(slot), FlowPhase::opening);
}

TEST(FlowTable, OccupyForgetsWhoeverWasThere) {
    const OneFlow one;
    const auto& [table, key, hash, slot] = one;
    std::memset(static_cast<void*>(&(*table)[slot]), 0xa5, sizeof(Flow));
    const Flow& again = table->occupy(slot, key, hash);
    Flow fresh;
    fresh.set_key(key);
    EXPECT_EQ(std::memcmp(&again, &fresh, sizeof(fresh)), 0);
    EXPECT_EQ(table->live(), 1U);
    EXPECT_EQ(table->find(key, hash), slot);
}

// begin_zeroed() makes zeros: that has to be what these begin as.
TEST(FlowTable, FlowsAndHostsBeginAsZeros) {
    const Flow flow;
    const Host host;
    const std::array<std::byte, std::max(sizeof(Flow), sizeof(Host))> zeros{};
    EXPECT_EQ(std::memcmp(&flow, zeros.data(), sizeof(flow)), 0);
    EXPECT_EQ(std::memcmp(&host, zeros.data(), sizeof(host)), 0);
}

TEST(IndexFilter, MissesNone) {
    IndexFilter filter;
    for (std::uint32_t index = 0; index < 256; ++index) {
        filter.add(index * 16 + 5);  // one way of buckets in a row
    }
    int others = 0;
    for (std::uint32_t index = 0; index < 65536; ++index) {
        const bool added = index % 16 == 5 && index < 4096;
        EXPECT_TRUE(!added || filter.may_have(index)) << index;
        others += static_cast<int>(!added && filter.may_have(index));
    }
    EXPECT_LT(others, 65536 / 10);  // 256 of 4096 bits are set
    filter.clear();
    EXPECT_FALSE(filter.may_have(5));
}

// Fills a 64-slot table (four buckets) to the brim, all flows of one phase.
std::vector<std::uint32_t> fill(FlowTable& table, FlowPhase phase, std::uint64_t now_ns) {
    std::vector<std::uint32_t> slots;
    for (std::uint64_t n = 0; table.live() < table.capacity(); ++n) {
        const FlowKey key = key_of(n, 6);
        const std::uint64_t hash = table.hash(key);
        const std::uint32_t slot = table.choose_slot(hash, now_ns);
        if (slot == kNoFlow || table.occupied(slot)) {
            continue;
        }
        Flow& flow = table.occupy(slot, key, hash);
        flow.set_times(now_ns / kUs, 0);
        table.touch(slot, phase, now_ns);
        slots.push_back(slot);
    }
    return slots;
}

TEST(FlowTable, FullOfEstablishedFlowsRefusesNewOnes) {
    const auto table = make_table(64);
    fill(*table, FlowPhase::established, kSecond * 100);
    for (std::uint64_t n = 100000; n < 100100; ++n) {
        EXPECT_EQ(table->choose_slot(table->hash(key_of(n)), kSecond * 101), kNoFlow);
    }
}

TEST(FlowTable, EvictsClosedBeforeOpeningAndIdleFirst) {
    const auto table = make_table(64);
    const auto slots = fill(*table, FlowPhase::established, kSecond * 100);
    const std::uint64_t now = kSecond * 104;
    // In every bucket: way 3 opening, way 5 closed.
    for (std::uint32_t bucket = 0; bucket < 4; ++bucket) {
        table->touch(bucket * 16 + 3, FlowPhase::opening, kSecond * 100);
        table->touch(bucket * 16 + 5, FlowPhase::closed, kSecond * 103);
    }
    const std::uint64_t hash = table->hash(key_of(777777));
    EXPECT_EQ(table->choose_slot(hash, now) % 16, 5U)
        << "closed, though seen later than the opening one";
    for (std::uint32_t bucket = 0; bucket < 4; ++bucket) {
        table->touch(bucket * 16 + 5, FlowPhase::established, kSecond * 103);
    }
    EXPECT_EQ(table->choose_slot(hash, now) % 16, 3U);
    for (std::uint32_t bucket = 0; bucket < 4; ++bucket) {
        table->touch(bucket * 16 + 3, FlowPhase::established, kSecond * 103);
    }
    EXPECT_EQ(table->choose_slot(hash, now), kNoFlow);
    // Established, but silent beyond the timeout of 300 s: free to take.
    EXPECT_NE(table->choose_slot(hash, kSecond * 500), kNoFlow);
}

// What choose_slot() promises, way by way.
std::uint32_t plain_choice(
    std::array<std::uint32_t, 2> buckets,
    const std::vector<std::pair<FlowPhase, std::uint64_t>>& touched,
    std::uint64_t now_ns) {
    const std::uint64_t now = now_ns / kSecond;
    std::uint32_t best = kNoFlow;
    std::pair<int, std::uint64_t> best_rank{0, 0};
    for (const std::uint32_t bucket : buckets) {
        for (std::uint32_t slot = bucket * 16; slot < bucket * 16 + 16; ++slot) {
            const auto [phase, at] = touched[slot];
            const std::uint64_t seconds = now - std::min(now, at / kSecond);
            // Of options() the longest timeout of each phase, and a second for rounding.
            const std::uint64_t longest = phase == FlowPhase::established ? 301 : 61;
            const int group = seconds > longest             ? 3
                              : phase == FlowPhase::closed  ? 2
                              : phase == FlowPhase::opening ? 1
                                                            : 0;
            if (group != 0 && std::pair(group, seconds) > best_rank) {
                best_rank = {group, seconds};
                best = slot;
            }
        }
    }
    return best;
}

TEST(FlowTable, TheVictimIsTheMostWillingOfBothBuckets) {
    const auto table = make_table(64);
    std::mt19937_64 random(5);
    std::set<std::uint32_t> chosen;
    for (int round = 0; round < 3000; ++round) {
        if (table->live() < table->capacity()) {
            fill(*table, FlowPhase::established, kSecond * 20000);
        }
        const std::uint64_t now = kSecond * (20000 + random() % 3 * 150);
        std::vector<std::pair<FlowPhase, std::uint64_t>> touched(64);
        for (std::uint32_t slot = 0; slot < 64; ++slot) {
            const auto phase = static_cast<FlowPhase>(1 + random() % 3);
            const std::uint64_t at = now + kSecond * 3 - kSecond * (random() % 400);
            const bool young = random() % 2 == 0;
            touched[slot] = {young ? FlowPhase::established : phase, young ? now : at};
            table->touch(slot, touched[slot].first, touched[slot].second);
        }
        const std::uint64_t hash = table->hash(key_of(1000000 + static_cast<std::uint64_t>(round)));
        const std::array<std::uint32_t, 2> buckets{
            static_cast<std::uint32_t>(hash & 3U), static_cast<std::uint32_t>(hash >> 24U & 3U)};
        const std::array<std::uint32_t, 2> both{
            buckets[0], buckets[0] == buckets[1] ? buckets[0] ^ 1U : buckets[1]};
        const std::uint32_t expected = plain_choice(both, touched, now);
        ASSERT_EQ(table->choose_slot(hash, now), expected) << round;
        chosen.insert(expected);
    }
    EXPECT_GT(chosen.size(), 60U);
}

TEST(FlowTable, IdleFollowsProtocolAndPhase) {
    const auto table = make_table(64);
    constexpr std::uint64_t kLast = kSecond * 1000;
    const auto occupied = [&](std::uint8_t proto) {
        const FlowKey key = key_of(proto, proto);
        const std::uint32_t slot = table->choose_slot(table->hash(key), kLast);
        table->occupy(slot, key, table->hash(key)).set_times(kLast / kUs - 7, 7);
        return slot;
    };
    const auto idle_after = [&](std::uint32_t slot, FlowPhase phase, std::uint64_t seconds) {
        table->touch(slot, phase, kLast);
        return table->idle(slot, kLast + seconds * kSecond + 1);
    };
    const std::uint32_t tcp = occupied(6);
    EXPECT_FALSE(idle_after(tcp, FlowPhase::established, 299));
    EXPECT_TRUE(idle_after(tcp, FlowPhase::established, 300));
    EXPECT_TRUE(idle_after(tcp, FlowPhase::opening, 30));
    EXPECT_FALSE(idle_after(tcp, FlowPhase::opening, 29));
    EXPECT_TRUE(idle_after(tcp, FlowPhase::closed, 5));
    EXPECT_FALSE(table->idle(tcp, kLast - kSecond)) << "time running backwards ends nothing";
    const std::uint32_t udp = occupied(17);
    EXPECT_FALSE(idle_after(udp, FlowPhase::opening, 59));
    EXPECT_TRUE(idle_after(udp, FlowPhase::opening, 60));
    EXPECT_TRUE(idle_after(occupied(1), FlowPhase::opening, 30));
}

TEST(FlowTable, RecordsLieBesideEachOther) {
    const auto table = make_table(64);
    const auto slots = fill(*table, FlowPhase::opening, kSecond);
    const auto pattern = [](std::uint32_t slot, std::uint32_t n) {
        return static_cast<std::uint8_t>(slot * 7 + n);
    };
    for (const std::uint32_t slot : slots) {
        Flow& flow = (*table)[slot];
        flow.seq_gap.fill(pattern(slot, 0));
        flow.key_bytes[0] = pattern(slot, 1);
        table->note_outcome(slot, slot % 2 == 0, slot % 64);
        for (std::uint32_t s = 0; s < table->slots(); ++s) {
            table->verdicts(slot)[s].decided_at = static_cast<std::uint16_t>(slot * 256 + s);
            table->verdicts(slot)[s].pending_count = pattern(slot, 2 + s);
        }
    }
    for (const std::uint32_t slot : slots) {
        const Flow& flow = (*table)[slot];
        EXPECT_EQ(flow.seq_gap[14], pattern(slot, 0));
        EXPECT_EQ(flow.key_bytes[0], pattern(slot, 1));
        EXPECT_EQ(table->dropped(slot), slot % 2 == 0);
        EXPECT_EQ(table->dscp_written(slot), slot % 64);
        for (std::uint32_t s = 0; s < table->slots(); ++s) {
            EXPECT_EQ(table->verdicts(slot)[s].decided_at, slot * 256 + s);
            EXPECT_EQ(table->verdicts(slot)[s].pending_count, pattern(slot, 2 + s));
        }
    }
}

TEST(FlowTable, SweepFindsExactlyTheIdleFlows) {
    const auto table = make_table(64);
    const auto slots = fill(*table, FlowPhase::opening, kSecond * 100);
    (*table)[17].set_times(kSecond * 40 / kUs, 0);
    table->touch(17, FlowPhase::opening, kSecond * 40);
    EXPECT_EQ(table->first_idle_in_bucket(16, kSecond * 101), 17U);
    table->release(17);
    EXPECT_EQ(table->first_idle_in_bucket(16, kSecond * 101), kNoFlow);
    EXPECT_NE(table->first_idle_in_bucket(16, kSecond * 131), kNoFlow);
}

// Against a plain map, through a long random life.
TEST(FlowTable, AgreesWithAModelUnderRandomOperations) {
    const auto table = make_table(1024, 99);
    std::map<std::uint64_t, std::uint32_t> model;
    std::map<std::uint32_t, std::uint64_t> owner;
    std::mt19937_64 random(5);
    for (std::uint64_t step = 0; step < 200000; ++step) {
        const std::uint64_t n = random() % 1500;
        const std::uint64_t now = step * kSecond / 1000;
        const FlowKey key = key_of(n, 6);
        const std::uint64_t hash = table->hash(key);
        const std::uint32_t found = table->find(key, hash);
        const auto expected = model.find(n);
        ASSERT_EQ(found, expected == model.end() ? kNoFlow : expected->second);
        if (found != kNoFlow && random() % 4 == 0) {
            table->release(found);
            owner.erase(found);
            model.erase(n);
            continue;
        }
        std::uint32_t slot = found;
        if (found == kNoFlow) {
            slot = table->choose_slot(hash, now);
            ASSERT_NE(slot, kNoFlow);
            if (table->occupied(slot)) {
                model.erase(owner.at(slot));
                table->release(slot);
            }
            table->occupy(slot, key, hash);
            model[n] = slot;
            owner[slot] = n;
        }
        table->touch(slot, FlowPhase::opening, now);
        ASSERT_EQ(table->live(), model.size());
    }
}

TEST(FlowTable, SaysWhatAFlowCosts) {
    EXPECT_DOUBLE_EQ(make_table(1024, 1, 1)->bytes_per_flow(), 180 + 4);
    EXPECT_DOUBLE_EQ(make_table(1024, 1, 2)->bytes_per_flow(), 188 + 4);
    EXPECT_DOUBLE_EQ(make_table(1024, 1, 4)->bytes_per_flow(), 208 + 4);
}

}  // namespace
}  // namespace weir::dataplane
