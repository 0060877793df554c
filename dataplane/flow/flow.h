// SPDX-License-Identifier: BSD-3-Clause
// The state of one flow, and its verdicts, as the flow table holds them: one writer, the worker that owns the table.
#pragma once

#include "dataplane/flow/key.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace weir::dataplane {

/// Where a flow is in its life; decides its idle timeout and how willingly it is evicted. Kept in its bucket.
enum class FlowPhase : std::uint8_t {
    empty,        ///< slot free
    opening,      ///< packets one way only
    established,  ///< both ways (TCP: handshake or data both ways)
    closed        ///< TCP RST, or FIN both ways
};

inline constexpr std::uint32_t kSequenceLength = 16;

/// Index 0 = initiator → responder ("fwd"), 1 = the other way ("bwd"). Times are whole microseconds, counters saturate.
/// Sizes are IP bytes (header's total length). "Code" is a log code of whole units, see features/encoders.h. "Of 255":
/// counted over the flow's first 255 packets only, so that shares stay true.
/// Packed to words of four bytes: a table of many flows is memory, and lines of it are what a packet waits for. What is
/// not read by a name of its own has an accessor. Zero-initialised for a new flow; statistics are update_flow()'s
/// (features/), the rest as noted.
struct Flow {
    /// The last is track's, the others are update_flow()'s.
    enum Bit : std::uint8_t {
        kOpenedBySyn = 0x01,  ///< the first packet is a SYN without ACK
        kSynAnswered = 0x02,  ///< … and the first reply a SYN-ACK
        kRefused = 0x04,      ///< the first reply has RST
        kFwdSeqKnown = 0x08,  ///< next_seq and first_window_code are set
        kBwdSeqKnown = 0x10,
        kConfirmed = 0x20,     ///< the initiator has sent something after a reply (any protocol)
        kLastBackward = 0x40,  ///< the latest packet came from the responder (any protocol)
        kInitiatorIsHi = 0x80  ///< the initiator is the key's `hi` endpoint
    };

    /// Times end here: 2112. A later packet counts as of then.
    static constexpr std::uint64_t kMostUs = (std::uint64_t{1} << 52) - 1;
    /// So does a flow's age: 203 days.
    static constexpr std::uint64_t kMostElapsedUs = (std::uint64_t{1} << 44) - 1;
    static constexpr std::uint64_t kMostBytes = (std::uint64_t{1} << 48) - 1;
    /// Up to here reply_us() is exact, beyond in steps of 512 µs.
    static constexpr std::uint32_t kExactReplyUs = (1U << 23) - 1;

    // identity: a FlowKey's bytes but for its last, zeros
    std::array<std::uint8_t, FlowKey::kBytes> key_bytes{};
    std::uint8_t track_bits = 0;  ///< track's own: FIN seen, directions seen, packet count
    std::uint8_t gap_min_code = 0;
    std::uint8_t gap_max_code = 0;

    // times: 52 bits of the first packet's since the epoch, 44 bits to the latest
    std::uint32_t first_low = 0;
    std::uint32_t elapsed_low = 0;
    std::uint32_t times_high = 0;  ///< upper 20 bits of the first, upper 12 of the elapsed
    // first packet to the latest of the way that the latest of all did not come, modulo 2^32
    std::uint32_t other_last_us = 0;

    // counters both ways
    std::array<std::uint32_t, 2> bytes_low{};
    std::array<std::uint16_t, 2> bytes_high{};  ///< upper 16 of 48 bits
    std::uint32_t reply_and_bits = 0;           ///< reply_us() in 24 bits, Bit in the upper 8
    std::array<std::uint32_t, 2> packets{};
    std::array<std::uint32_t, 2> payload_bytes{};
    std::array<std::uint16_t, 2> length_min{};
    std::array<std::uint16_t, 2> length_max{};
    std::array<float, 2> length_m2{};  ///< sum of squared differences from the mean
    float gap_m2_us2 = 0.0F;           ///< the same of the gaps of both directions

    // TCP's and others' behaviour
    std::array<std::uint32_t, 2> next_seq{};
    std::array<std::uint8_t, 2> first_window_code{};
    std::array<std::uint8_t, 2> retransmissions{};
    std::array<std::uint8_t, 2> payload_packets{};  ///< of 255: with payload
    std::uint8_t psh = 0;                           ///< of 255: with the flag
    std::uint8_t turns = 0;  ///< of 255: came from the other side than the packet before
    std::uint8_t syn = 0;    ///< packets with the flag
    std::uint8_t fin = 0;
    std::uint8_t rst = 0;
    std::uint8_t zero_window = 0;
    std::uint8_t small_packets = 0;  ///< of 255: at most 128 IP bytes

    // the first packets
    std::array<std::uint8_t, kSequenceLength>
        seq_length{};  ///< signed lengths, see features/encoders.h
    std::array<std::uint8_t, kSequenceLength - 1>
        seq_gap{};  ///< codes of the gaps to the packet before; from the second packet on

    [[nodiscard]] FlowKey key() const noexcept {
        FlowKey out;
        std::memcpy(&out, key_bytes.data(), key_bytes.size());
        return out;
    }
    void set_key(const FlowKey& key) noexcept {
        std::memcpy(key_bytes.data(), &key, key_bytes.size());
    }
    [[nodiscard]] bool has_key(const FlowKey& key) const noexcept {
        constexpr std::size_t kTail = FlowKey::kBytes - sizeof(std::uint64_t);
        std::uint64_t different = 0;
        for (std::size_t at = 0; at < FlowKey::kBytes; at += sizeof(std::uint64_t)) {
            different |=
                word_of(key_bytes.data(), std::min(at, kTail)) ^ word_of(&key, std::min(at, kTail));
        }
        return different == 0;
    }
    [[nodiscard]] std::uint8_t proto() const noexcept { return key_bytes[kProtoAt]; }
    [[nodiscard]] bool initiator_is_hi() const noexcept { return has(kInitiatorIsHi); }
    void set_initiator_is_hi(bool yes) noexcept { set(kInitiatorIsHi, yes); }

    [[nodiscard]] std::uint64_t first_us() const noexcept {
        return first_low | std::uint64_t{times_high & kFirstHighMask} << 32U;
    }
    /// First packet to latest.
    [[nodiscard]] std::uint64_t elapsed_us() const noexcept {
        return elapsed_low | std::uint64_t{times_high >> kFirstHighBits} << 32U;
    }
    /// Never runs backwards.
    [[nodiscard]] std::uint64_t last_us() const noexcept { return first_us() + elapsed_us(); }
    void set_times(std::uint64_t first, std::uint64_t elapsed) noexcept {
        first = std::min(first, kMostUs);
        elapsed = std::min(elapsed, kMostElapsedUs);
        first_low = static_cast<std::uint32_t>(first);
        elapsed_low = static_cast<std::uint32_t>(elapsed);
        times_high = static_cast<std::uint32_t>(first >> 32U) |
                     static_cast<std::uint32_t>(elapsed >> 32U) << kFirstHighBits;
    }
    [[nodiscard]] std::uint64_t bytes(std::size_t way) const noexcept {
        return bytes_low[way] | std::uint64_t{bytes_high[way]} << 32U;
    }
    void set_bytes(std::size_t way, std::uint64_t value) noexcept {
        value = std::min(value, kMostBytes);
        bytes_low[way] = static_cast<std::uint32_t>(value);
        bytes_high[way] = static_cast<std::uint16_t>(value >> 32U);
    }
    [[nodiscard]] std::uint64_t all_packets() const noexcept {
        return std::uint64_t{packets[0]} + packets[1];
    }
    /// First packet to first reply, ≥ 1; 0 = none yet.
    [[nodiscard]] std::uint32_t reply_us() const noexcept {
        const std::uint32_t coarse = (reply_and_bits & kExactReplyUs) << kReplyShift;
        return (reply_and_bits & kCoarseReply) != 0 ? coarse : reply_and_bits & kExactReplyUs;
    }
    void set_reply_us(std::uint32_t us) noexcept {
        const std::uint32_t packed = us <= kExactReplyUs ? us : kCoarseReply | us >> kReplyShift;
        reply_and_bits = (reply_and_bits & ~kReplyMask) | packed;
    }
    [[nodiscard]] std::uint8_t bits() const noexcept {
        return static_cast<std::uint8_t>(reply_and_bits >> kBitsAt);
    }
    [[nodiscard]] bool has(Bit bit) const noexcept { return (bits() & bit) != 0; }
    void set(Bit bit, bool yes) noexcept {
        const std::uint32_t mask = std::uint32_t{bit} << kBitsAt;
        reply_and_bits = (reply_and_bits & ~mask) | (yes ? mask : 0U);
    }

    static constexpr std::uint32_t kFirstHighBits = 20;
    static constexpr std::uint32_t kFirstHighMask = (1U << kFirstHighBits) - 1;
    static constexpr std::uint32_t kBitsAt = 24;
    static constexpr std::uint32_t kReplyMask = (1U << kBitsAt) - 1;
    static constexpr std::uint32_t kCoarseReply = kExactReplyUs + 1;
    static constexpr std::uint32_t kReplyShift = 9;
    static constexpr std::size_t kProtoAt = offsetof(FlowKey, proto);

  private:
    [[nodiscard]] static std::uint64_t word_of(const void* from, std::size_t at) noexcept {
        std::uint64_t word = 0;
        std::memcpy(&word, static_cast<const std::byte*>(from) + at, sizeof(word));
        return word;
    }
};
static_assert(sizeof(Flow) == 168 && alignof(Flow) == 4);

inline constexpr std::uint8_t kNoClass = 0xff;

/// A flow's verdict in one slot, as records tell it.
struct Verdict {
    std::uint32_t decided_at_packet = 0;  ///< the flow's packet (1-based) whose score set the class
    std::uint16_t model_ref = 0;  ///< Snapshot's reference of the model that gave it; 0 = none
    std::uint16_t score = 0;      ///< 0…65535 for 0…1, as `--verdicts` defines it
    std::uint8_t cls = kNoClass;
};

/// A packet's number in its flow in 16 bits: exact to 8191, rounded down to 13 significant bits to 134 million, and no
/// more than that.
struct PacketNumber {
    static constexpr std::uint32_t kExactBits = 13;
    static constexpr std::uint32_t kMost = ((1U << kExactBits) - 1) << 14U;

    [[nodiscard]] static std::uint16_t pack(std::uint32_t number) noexcept {
        number = std::min(number, kMost);
        const auto width = static_cast<std::uint32_t>(std::bit_width(number));
        const std::uint32_t shift = width > kExactBits ? width - kExactBits : 0;
        return static_cast<std::uint16_t>((shift << (kExactBits - 1)) + (number >> shift));
    }
    [[nodiscard]] static std::uint32_t unpack(std::uint16_t packed) noexcept {
        const std::uint32_t group = packed >> (kExactBits - 1);
        const std::uint32_t shift = group > 1 ? group - 1 : 0;
        return (packed - (shift << (kExactBits - 1))) << shift;
    }
};

/// The verdict as its flow holds it, at any address. Written by decide only.
struct [[gnu::packed]] CachedVerdict {
    std::uint16_t decided_at = 0;  ///< PacketNumber of the packet whose score set the class
    std::uint16_t model_ref = 0;
    std::uint16_t score = 0;
    std::uint8_t cls = kNoClass;
    std::uint8_t pending_cls = kNoClass;  ///< hysteresis: a class that wants to take over …
    std::uint8_t pending_count = 0;       ///< … and how often in a row it was seen

    [[nodiscard]] Verdict told() const noexcept {
        return {PacketNumber::unpack(decided_at), model_ref, score, cls};
    }
};
static_assert(sizeof(CachedVerdict) == 9 && alignof(CachedVerdict) == 1);

}  // namespace weir::dataplane
