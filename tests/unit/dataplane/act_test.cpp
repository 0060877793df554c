// SPDX-License-Identifier: BSD-3-Clause
#include "dataplane/act.h"

#include "dataplane/parse.h"
#include "tests/packets/fixtures.h"
#include "tests/packets/mbufs.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <rte_mbuf.h>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using test::Bytes;

constexpr std::uint8_t kEf = 46;
constexpr std::size_t kChecksumAt = 10;

[[nodiscard]] std::uint32_t checksum_in(const Bytes& ip) {
    return static_cast<std::uint32_t>(ip[kChecksumAt] << 8U | ip[kChecksumAt + 1]);
}

// What a header sums to beyond all ones: 0 if its checksum is right.
[[nodiscard]] std::uint32_t checksum_error(const Bytes& ip) {
    return ~std::uint32_t{test::ones_sum(ip.data(), 20)} & 0xffffU;
}

TEST(RewriteDscp, Ipv4EveryTosAndEveryDscp) {
    for (std::uint32_t tos = 0; tos < 256; ++tos) {
        const Bytes before = test::ip4({.tos = static_cast<std::uint8_t>(tos)}, {});
        for (std::uint32_t dscp = 0; dscp < 64; ++dscp) {
            Bytes after = before;
            const bool changed = rewrite_dscp(after.data(), 4, static_cast<std::uint8_t>(dscp));
            ASSERT_EQ(changed, tos >> 2U != dscp);
            const auto want = static_cast<std::uint8_t>(dscp << 2U | (tos & 3U));
            ASSERT_EQ(after, test::ip4({.tos = want}, {})) << tos << ' ' << dscp;
            ASSERT_EQ(checksum_in(after), test::ip4_checksum(after.data()));
        }
    }
}

TEST(RewriteDscp, Ipv6EveryClassAndEveryDscp) {
    for (std::uint32_t tos = 0; tos < 256; ++tos) {
        const Bytes before =
            test::ip6({.tos = static_cast<std::uint8_t>(tos), .flow_label = 0xfffff}, {});
        for (std::uint32_t dscp = 0; dscp < 64; ++dscp) {
            Bytes after = before;
            const bool changed = rewrite_dscp(after.data(), 6, static_cast<std::uint8_t>(dscp));
            ASSERT_EQ(changed, tos >> 2U != dscp);
            const auto want = static_cast<std::uint8_t>(dscp << 2U | (tos & 3U));
            ASSERT_EQ(after, test::ip6({.tos = want, .flow_label = 0xfffff}, {}))
                << tos << ' ' << dscp;
        }
    }
}

// Every checksum there can be, right or wrong: the error stays, modulo the two zeroes of one's complement.
TEST(RewriteDscp, AWrongChecksumStaysAsWrong) {
    for (std::uint32_t checksum = 0; checksum <= 0xffff; ++checksum) {
        Bytes ip = test::ip4({.tos = 0xb9}, {});
        ip[kChecksumAt] = static_cast<std::uint8_t>(checksum >> 8U);
        ip[kChecksumAt + 1] = static_cast<std::uint8_t>(checksum);
        const std::uint32_t error = checksum_error(ip);
        ASSERT_TRUE(rewrite_dscp(ip.data(), 4, checksum % 46));
        ASSERT_EQ(checksum_error(ip) % 0xffffU, error % 0xffffU) << checksum;
    }
}

// The example of RFC 1624, section 4, scaled to the field that changes: headers whose right checksum is 0 before or
// after must get it as a sender would write it.
TEST(RewriteDscp, ZeroChecksumsAreExact) {
    std::uint32_t zeroes = 0;
    for (std::uint32_t host = 0; host <= 0xffff; ++host) {
        test::Ip4 ip;
        ip.dst[2] = static_cast<std::uint8_t>(host >> 8U);
        ip.dst[3] = static_cast<std::uint8_t>(host);
        Bytes bytes = test::ip4(ip, {});
        const bool zero_before = checksum_in(bytes) == 0;
        ASSERT_TRUE(rewrite_dscp(bytes.data(), 4, kEf));
        ip.tos = kEf << 2U;
        ASSERT_EQ(bytes, test::ip4(ip, {})) << host;
        zeroes += zero_before || checksum_in(bytes) == 0 ? 1 : 0;
    }
    EXPECT_EQ(zeroes, 2U);
}

TEST(RewriteDscp, LeavesWhatItDoesNotKnow) {
    const Bytes before = test::ip4({}, {});
    for (const auto& [version, dscp] : {std::pair{0, 1}, {5, 1}, {15, 1}, {4, 64}, {6, 255}}) {
        Bytes ip = before;
        EXPECT_FALSE(rewrite_dscp(
            ip.data(), static_cast<std::uint8_t>(version), static_cast<std::uint8_t>(dscp)));
        EXPECT_EQ(ip, before);
    }
}

class Act : public testing::Test {
  protected:
    ~Act() override {
        for (std::uint32_t i = 0; i < batch_->size; ++i) {
            rte_pktmbuf_free(batch_->mbuf[i]);
        }
    }

    rte_mbuf* add(const Bytes& frame, const std::vector<std::size_t>& segments = {}) {
        rte_mbuf* const mbuf = pool_.make(frame, segments);
        put(mbuf);
        return mbuf;
    }

    void put(rte_mbuf* mbuf) {
        const std::uint32_t i = batch_->size++;
        batch_->mbuf[i] = mbuf;
        batch_->rx_port[i] = 0;
        batch_->disposition[i] = Disposition::forward;
        batch_->dscp[i] = kEf;
    }

    void run() {
        const std::uint16_t pair = 0;
        parse(*batch_, &pair);
        act(*batch_, 0, batch_->size, *stats_);
    }

    [[nodiscard]] static Bytes bytes(const rte_mbuf* mbuf) { return test::MbufPool::bytes(mbuf); }

    test::MbufPool pool_{"act_test"};
    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
    std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
};

[[nodiscard]] Bytes frame4(std::uint8_t tos) {
    return test::eth(0x0800, test::tcp4({}, tos));
}

TEST_F(Act, MarksWhatIsToBeMarked) {
    const rte_mbuf* marked = add(frame4(0x03));
    const rte_mbuf* already = add(frame4(kEf << 2U));
    const rte_mbuf* kept = add(frame4(0x20));
    const rte_mbuf* dropped = add(frame4(0x20));
    const rte_mbuf* v6 = add(test::eth(0x86dd, test::udp6({}, 0x01)));
    batch_->dscp[2] = kKeepDscp;
    batch_->disposition[3] = Disposition::drop;
    run();
    EXPECT_EQ(bytes(marked), frame4(kEf << 2U | 3U));
    EXPECT_EQ(bytes(already), frame4(kEf << 2U));
    EXPECT_EQ(bytes(kept), frame4(0x20));
    EXPECT_EQ(bytes(dropped), frame4(0x20));
    EXPECT_EQ(bytes(v6), test::eth(0x86dd, test::udp6({}, kEf << 2U | 1U)));
    EXPECT_EQ(stats_->marked.get(), 2U);
}

TEST_F(Act, OnlyItsRange) {
    const rte_mbuf* before = add(frame4(0));
    const rte_mbuf* within = add(frame4(0));
    const rte_mbuf* behind = add(frame4(0));
    const std::uint16_t pair = 0;
    parse(*batch_, &pair);
    act(*batch_, 1, 2, *stats_);
    EXPECT_EQ(bytes(before), frame4(0));
    EXPECT_EQ(bytes(within), frame4(kEf << 2U));
    EXPECT_EQ(bytes(behind), frame4(0));
}

TEST_F(Act, LeavesWhatIsNoFlow) {
    for (const test::Refused& packet : test::refused_packets()) {
        SCOPED_TRACE(packet.name);
        const rte_mbuf* mbuf = add(packet.frame);
        run();
        EXPECT_EQ(bytes(mbuf), packet.frame);
        rte_pktmbuf_free(batch_->mbuf[--batch_->size]);
    }
    EXPECT_EQ(stats_->marked.get(), 0U);
}

TEST_F(Act, TheOuterHeaderOfEveryTunnel) {
    for (const test::Fixture& fixture : test::tunnel_fixtures()) {
        SCOPED_TRACE(fixture.name);
        const rte_mbuf* mbuf = add(fixture.build({}, 0x01));
        run();
        EXPECT_EQ(bytes(mbuf), fixture.build({}, kEf << 2U | 1U));
        rte_pktmbuf_free(batch_->mbuf[--batch_->size]);
    }
    EXPECT_EQ(stats_->marked.get(), test::tunnel_fixtures().size());
}

TEST_F(Act, NeedsTheWholeHeaderInTheFirstSegment) {
    for (const bool v6 : {false, true}) {
        const auto frame = [&](std::uint8_t tos) {
            return v6 ? test::eth(0x86dd, test::tcp6({}, tos))
                      : test::eth(
                            0x0800,
                            test::ip4(
                                {.tos = tos, .options = Bytes(8, 1)},
                                test::tcp({}, test::text(9))));
        };
        const std::size_t header_end = v6 ? 54 : 42;
        for (std::size_t split = 1; split < frame(0).size(); ++split) {
            SCOPED_TRACE(split);
            const rte_mbuf* mbuf = add(frame(0), {split});
            run();
            EXPECT_EQ(batch_->parsed[0], ParseResult::flow);
            EXPECT_EQ(bytes(mbuf), frame(split >= header_end ? kEf << 2U : 0));
            rte_pktmbuf_free(batch_->mbuf[--batch_->size]);
        }
    }
}

TEST_F(Act, LeavesSharedBytes) {
    rte_mbuf* held = add(frame4(0));
    rte_mbuf_refcnt_update(held, 1);
    rte_mbuf* original = add(frame4(0));
    rte_mbuf* clone = rte_pktmbuf_clone(original, pool_.get());
    ASSERT_NE(clone, nullptr);
    put(clone);
    run();
    EXPECT_EQ(bytes(held), frame4(0));
    EXPECT_EQ(bytes(original), frame4(0));
    EXPECT_EQ(bytes(clone), frame4(0));
    EXPECT_EQ(stats_->marked.get(), 0U);

    rte_mbuf_refcnt_update(held, -1);
    rte_pktmbuf_free(clone);
    --batch_->size;
    act(*batch_, 0, batch_->size, *stats_);
    EXPECT_EQ(bytes(held), frame4(kEf << 2U));
    EXPECT_EQ(bytes(original), frame4(kEf << 2U));
    EXPECT_EQ(stats_->marked.get(), 2U);
}

TEST_F(Act, ExternalBuffersOfOneOwnerOnly) {
    Bytes storage(2048);
    const Bytes frame = frame4(0);
    std::copy(frame.begin(), frame.end(), storage.begin());
    rte_mbuf_ext_shared_info shared{};
    shared.free_cb = [](void*, void*) {};
    rte_mbuf_ext_refcnt_set(&shared, 1);
    rte_mbuf* mbuf = rte_pktmbuf_alloc(pool_.get());
    rte_pktmbuf_attach_extbuf(mbuf, storage.data(), 0, 2048, &shared);
    ASSERT_NE(rte_pktmbuf_append(mbuf, static_cast<std::uint16_t>(frame.size())), nullptr);
    put(mbuf);

    rte_mbuf_ext_refcnt_update(&shared, 1);
    run();
    EXPECT_EQ(bytes(mbuf), frame4(0));
    rte_mbuf_ext_refcnt_update(&shared, -1);
    run();
    EXPECT_EQ(bytes(mbuf), frame4(kEf << 2U));
    EXPECT_EQ(stats_->marked.get(), 1U);
    rte_pktmbuf_free(mbuf);  // while the storage lives
    --batch_->size;
}

TEST_F(Act, OffloadFlagsStay) {
    rte_mbuf* mbuf = add(frame4(0));
    mbuf->ol_flags |= RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4;
    const std::uint64_t flags = mbuf->ol_flags;
    run();
    EXPECT_EQ(mbuf->ol_flags, flags);
    EXPECT_EQ(bytes(mbuf), frame4(kEf << 2U));
}

}  // namespace
}  // namespace weir::dataplane
