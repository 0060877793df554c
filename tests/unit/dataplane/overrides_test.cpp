// SPDX-License-Identifier: BSD-3-Clause
// Overrides against a plain search through all of them, and what decide() makes of them.
#include "dataplane/overrides.h"

#include "config/load.h"
#include "dataplane/decide.h"
#include "dataplane/snapshot_build.h"
#include "dataplane/trace.h"

#include <algorithm>
#include <memory>
#include <random>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

config::Prefix prefix(const std::string& text) {
    const auto parsed = config::parse_prefix(text);
    EXPECT_TRUE(parsed) << text;
    return parsed.value_or(config::Prefix{});
}

OverrideRule over(OverrideKind kind, const std::string& text) {
    return {kind, false, prefix(text), {}};
}

FlowKey key(const std::string& low, const std::string& high) {
    FlowKey out;
    out.addr_lo = prefix(low).address;
    out.addr_hi = prefix(high).address;
    out.ip_version = low.find(':') == std::string::npos ? 4 : 6;
    out.proto = 6;
    out.port_lo = 1000;
    out.port_hi = 80;
    return out;
}

constexpr auto kBlock = OverrideKind::block;
constexpr auto kAllow = OverrideKind::allow;

TEST(Overrides, TheLongestPrefixHoldsThenTheOneThatBlocks) {
    const std::vector<OverrideRule> rules{
        over(kBlock, "10.0.0.0/8"),
        over(kAllow, "10.1.0.0/16"),
        over(kBlock, "10.1.2.3"),
        over(kAllow, "192.0.2.0/24"),
        over(kBlock, "198.51.100.0/24"),
        over(kBlock, "2001:db8::/32"),
        over(kAllow, "2001:db8::1")};
    const OverrideSet set(rules);
    EXPECT_EQ(set.find(key("10.9.9.9", "203.0.113.1")), 0);
    EXPECT_EQ(set.find(key("10.1.9.9", "203.0.113.1")), 1);
    EXPECT_EQ(set.find(key("10.1.2.3", "203.0.113.1")), 2);
    EXPECT_EQ(set.find(key("10.1.2.3", "192.0.2.1")), 2) << "/32 before /24";
    EXPECT_EQ(set.find(key("10.2.0.0", "192.0.2.1")), 3) << "/24 before /8";
    EXPECT_EQ(set.find(key("192.0.2.1", "198.51.100.1")), 4) << "of two as long, the block";
    EXPECT_EQ(set.find(key("198.51.100.1", "192.0.2.1")), 4);
    EXPECT_EQ(set.find(key("9.255.255.255", "11.0.0.0")), kNoOverride);
    EXPECT_EQ(set.find(key("2001:db8::2", "2001:db9::1")), 5);
    EXPECT_EQ(set.find(key("2001:db8::2", "2001:db8::1")), 6);
    EXPECT_EQ(set.kind(5), kBlock);
}

TEST(Overrides, EachFamilyIsItsOwn) {
    const std::vector<OverrideRule> all6{over(kBlock, "::/0")};
    EXPECT_EQ(OverrideSet(all6).find(key("10.0.0.1", "10.0.0.2")), kNoOverride);
    EXPECT_EQ(OverrideSet(all6).find(key("2001:db8::1", "ffff:ffff:ffff:ffff::")), 0);
    const std::vector<OverrideRule> all4{over(kBlock, "0.0.0.0/0")};
    EXPECT_EQ(OverrideSet(all4).find(key("255.255.255.255", "0.0.0.0")), 0);
    EXPECT_EQ(OverrideSet(all4).find(key("::1", "::2")), kNoOverride);
    EXPECT_EQ(OverrideSet({}).find(key("10.0.0.1", "10.0.0.2")), kNoOverride);
}

TEST(Overrides, AFlowIsMeantOnItsVlanOrOnAny) {
    FlowKey flow = key("10.0.0.1", "10.0.0.2");
    std::vector<OverrideRule> rules{
        over(kBlock, "10.0.0.1"),
        {kAllow, true, {}, OverrideFlow::key_of(flow, OverrideFlow::kAnyVlan)},
        {kBlock, true, {}, OverrideFlow::key_of(flow, 7)}};
    const OverrideSet set(rules);
    EXPECT_EQ(set.find(flow), 1) << "the flow before its prefix";
    flow.vlan = 7;
    flow.pair = 3;
    flow.tunnel_id = 99;
    EXPECT_EQ(set.find(flow), 2) << "this VLAN before any, whatever pair and tunnel";
    flow.port_hi = 81;
    EXPECT_EQ(set.find(flow), 0) << "another flow";
}

/// As the header says it, rule by rule.
std::uint16_t plain_find(const std::vector<OverrideRule>& rules, const FlowKey& flow) {
    std::uint16_t best = kNoOverride;
    for (std::uint16_t r = 0; r < rules.size(); ++r) {
        const config::Prefix& p = rules[r].prefix;
        const bool v4 = p.length >= 96 && config::covers(prefix("0.0.0.0/0"), p);
        const bool holds =
            v4 == (flow.ip_version == 4) &&
            (config::covers(p, {flow.addr_lo, 128}) || config::covers(p, {flow.addr_hi, 128}));
        const bool better = best == kNoOverride || p.length > rules[best].prefix.length ||
                            (p.length == rules[best].prefix.length && rules[r].kind == kBlock);
        best = holds && better ? r : best;
    }
    return best;
}

TEST(Overrides, AsManyAsThereMayBeAreFoundAsByPlainSearch) {
    std::mt19937 random(11);
    for (const bool v4 : {true, false}) {
        std::vector<OverrideRule> rules;
        std::set<std::string> known;
        const auto address = [&] {  // few different bits, so that prefixes nest and addresses hit
            std::array<std::uint8_t, 16> out = prefix(v4 ? "10.0.0.0" : "2001:db8::").address;
            for (const std::size_t byte : {12U, 13U, 14U, 15U}) {
                out[byte] = static_cast<std::uint8_t>(random() & 0xc1U);
            }
            return out;
        };
        while (rules.size() < kMaxOverrides) {
            config::Prefix p{address(), static_cast<std::uint8_t>(96 + random() % 33)};
            for (unsigned bit = p.length; bit < 128; ++bit) {
                p.address[bit / 8] =
                    static_cast<std::uint8_t>(p.address[bit / 8] & ~(0x80U >> bit % 8));
            }
            if (known.insert(config::prefix_text(p)).second) {
                rules.push_back({random() % 2 == 0 ? kBlock : kAllow, false, p, {}});
            }
        }
        const OverrideSet set(rules);
        std::uint32_t hits = 0;
        for (int n = 0; n < 4000; ++n) {
            FlowKey flow;
            flow.ip_version = v4 ? 4 : 6;
            flow.addr_lo = address();
            flow.addr_hi = address();
            const auto want = plain_find(rules, flow);
            const auto got = set.find(flow);
            hits += want != kNoOverride ? 1 : 0;
            // Of two rules alike in length and kind either may tell.
            ASSERT_EQ(got == kNoOverride, want == kNoOverride);
            if (got != kNoOverride && got != want) {
                ASSERT_EQ(rules[got].prefix.length, rules[want].prefix.length);
                ASSERT_EQ(rules[got].kind, rules[want].kind);
            }
        }
        EXPECT_GT(hits, 3000U);
    }
}

}  // namespace
}  // namespace weir::dataplane
