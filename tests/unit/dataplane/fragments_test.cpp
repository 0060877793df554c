// SPDX-License-Identifier: BSD-3-Clause
// Later fragments to the flow of their first one: made as packets, parsed, followed.
#include "dataplane/fragments.h"

#include "dataplane/parse.h"
#include "tests/packets/packet_builder.h"

#include <memory>
#include <optional>

#include <gtest/gtest.h>

namespace weir::dataplane {
namespace {

using test::Bytes;

constexpr std::uint16_t kMore = 0x2000;
constexpr std::uint64_t kSecond = 1'000'000'000;

class FragmentsTest : public testing::Test {
  protected:
    void SetUp() override {
        FlowTable::Options options;
        options.config.capacity = 1024;
        options.slots = 1;
        flows_ = std::move(*FlowTable::create(options));
    }

    /// Adds a frame; `id` in place of the builder's identification.
    void add(const Bytes& frame, std::uint64_t time_ns, std::optional<std::uint32_t> id = {}) {
        const std::uint32_t i = batch_->size++;
        const auto bytes = static_cast<std::uint32_t>(frame.size());
        PacketHeader& header = batch_->header[i];
        batch_->key[i] = {};
        batch_->parsed[i] = parse_frame(frame.data(), bytes, bytes, batch_->key[i], header);
        ASSERT_EQ(batch_->parsed[i], ParseResult::flow);
        header.fragment_id = id.value_or(header.fragment_id);
        batch_->time_ns[i] = time_ns;
    }
    void follow() { fragments_->follow(*batch_, *flows_, stats_->fragments); }
    [[nodiscard]] std::uint64_t count(FragmentKind kind) const {
        return stats_->fragments[static_cast<std::size_t>(kind)].get();
    }

    std::unique_ptr<FlowTable> flows_;
    std::unique_ptr<Fragments> fragments_ = std::make_unique<Fragments>();
    std::unique_ptr<WorkerStats> stats_ = std::make_unique<WorkerStats>();
    std::unique_ptr<Batch> batch_ = std::make_unique<Batch>();
};

[[nodiscard]] Bytes first4(std::uint16_t port = 5000, std::uint8_t proto = 17) {
    return test::eth(
        0x0800,
        test::ip4(
            {.proto = proto, .fragment = kMore},
            proto == 17 ? test::udp({.src = port, .dst = 53}, test::text(24))
                        : test::tcp({.src = port, .dst = 53}, test::text(24))));
}

[[nodiscard]] Bytes later4(std::uint16_t flags = kMore, std::uint8_t proto = 17) {
    return test::eth(
        0x0800,
        test::ip4(
            {.proto = proto, .fragment = static_cast<std::uint16_t>(flags | 4U)}, test::text(16)));
}

TEST_F(FragmentsTest, LaterOnesFollowTheirFirst) {
    add(first4(), kSecond);
    add(later4(), kSecond);
    add(later4(0), 2 * kSecond);
    EXPECT_EQ(batch_->header[0].fragment_id, 0x1c46U) << "from the IPv4 header";
    EXPECT_FALSE(batch_->key[1] == batch_->key[0]) << "no ports before";
    follow();
    EXPECT_EQ(batch_->key[1], batch_->key[0]);
    EXPECT_EQ(batch_->key[2], batch_->key[0]);
    EXPECT_EQ(batch_->header[2].src_port, 5000);
    EXPECT_EQ(batch_->header[2].dst_port, 53);
    EXPECT_EQ(batch_->header[2].src_is_hi, batch_->header[0].src_is_hi);
    EXPECT_TRUE(batch_->header[2].later_fragment) << "it still has no transport header";
    EXPECT_EQ(count(FragmentKind::first), 1U);
    EXPECT_EQ(count(FragmentKind::followed), 2U);
    EXPECT_EQ(count(FragmentKind::alone), 0U);
}

TEST_F(FragmentsTest, AcrossBatchesAsWithinOne) {
    add(first4(), kSecond);
    follow();
    const FlowKey flow = batch_->key[0];
    batch_->size = 0;
    add(later4(), kSecond);
    follow();
    EXPECT_EQ(batch_->key[0], flow);
}

TEST_F(FragmentsTest, OneBeforeItsFirstStaysAloneAndThoseAfterFollow) {
    add(later4(0), kSecond);
    add(first4(), kSecond);
    add(later4(), kSecond);
    const FlowKey without_ports = batch_->key[0];
    follow();
    EXPECT_EQ(batch_->key[0], without_ports) << "passed at once, not held back";
    EXPECT_EQ(batch_->key[2], batch_->key[1]);
    EXPECT_EQ(count(FragmentKind::alone), 1U);
    EXPECT_EQ(count(FragmentKind::followed), 1U);
}

TEST_F(FragmentsTest, IdentificationProtocolDirectionAndPairTellDatagramsApart) {
    add(first4(), kSecond, 7);
    add(later4(), kSecond, 8);
    add(later4(kMore, 6), kSecond, 7);
    add(test::eth(
            0x0800,
            test::ip4(
                {.src = test::kBob4, .dst = test::kAlice4, .proto = 17, .fragment = 4},
                test::text(16))),
        kSecond,
        7);
    add(later4(), kSecond, 7);
    batch_->key[4].pair = 3;
    follow();
    EXPECT_EQ(count(FragmentKind::alone), 4U);
    EXPECT_EQ(count(FragmentKind::followed), 0U);
}

TEST_F(FragmentsTest, Ipv6FollowsWhateverHeadersStandBetween) {
    const auto frame = [](std::uint8_t next, std::uint16_t offset, const Bytes& payload) {
        return test::eth(
            0x86dd, test::ip6({.next = 44}, test::fragment6(next, offset, offset == 0, payload)));
    };
    const Bytes datagram = test::ext(17, 1, test::udp({.src = 5000, .dst = 53}, test::text(16)));
    add(frame(60, 0, datagram), kSecond);
    add(frame(60, 32, test::text(16)), kSecond);
    EXPECT_EQ(batch_->header[0].fragment_id, 0xfeedbeefU) << "from the fragment header";
    follow();
    EXPECT_EQ(batch_->key[1], batch_->key[0]);
    EXPECT_EQ(batch_->header[1].proto, 17) << "the transport behind the options";
    EXPECT_EQ(batch_->header[1].dst_port, 53);
}

TEST_F(FragmentsTest, AreForgottenAfterTheirTime) {
    add(first4(), kSecond);
    add(later4(), kSecond + Fragments::kTimeoutNs);
    add(later4(), kSecond + Fragments::kTimeoutNs + 1);
    follow();
    EXPECT_EQ(count(FragmentKind::followed), 1U);
    EXPECT_EQ(count(FragmentKind::alone), 1U);
}

TEST_F(FragmentsTest, ASecondFirstFragmentIsTheOneToFollow) {
    add(first4(5000), kSecond);
    add(first4(6000), kSecond);
    add(later4(), kSecond);
    follow();
    EXPECT_EQ(batch_->header[2].src_port, 6000);
}

TEST_F(FragmentsTest, AFloodPushesOutTheOldestAndTakesNoMoreMemory) {
    constexpr std::uint32_t kFlood = 4 * Fragments::kPlaces;
    const Bytes first = first4();
    const Bytes later = later4();
    add(first, kSecond, kFlood);
    follow();
    for (std::uint32_t id = 0; id < kFlood; ++id) {
        batch_->size = 0;
        add(first, 2 * kSecond + id, id);
        follow();
    }
    std::uint32_t known = 0;
    for (std::uint32_t id = 0; id < kFlood; ++id) {
        batch_->size = 0;
        add(later, 2 * kSecond + kFlood, id);
        const std::uint64_t before = count(FragmentKind::followed);
        follow();
        const bool followed = count(FragmentKind::followed) != before;
        known += static_cast<std::uint32_t>(followed);
        // The newest ones are there: four of a set at least are younger than any that was pushed out.
        EXPECT_TRUE(followed || id + Fragments::kPlaces / 64 < kFlood) << id;
    }
    EXPECT_LE(known, Fragments::kPlaces);
    EXPECT_GT(known, Fragments::kPlaces / 2);
    batch_->size = 0;
    add(later, 2 * kSecond + kFlood, kFlood);
    const std::uint64_t alone = count(FragmentKind::alone);
    follow();
    EXPECT_EQ(count(FragmentKind::alone), alone + 1) << "the oldest is gone";
}

}  // namespace
}  // namespace weir::dataplane
