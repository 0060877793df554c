// SPDX-License-Identifier: BSD-3-Clause
// The bytes that one end of a connection says: any part can be read again until it is acknowledged.
#pragma once

#include "control/lab/generate_random.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <utility>

namespace weir::lab::synth {

/// Noise from a seed, overlaid by the readable heads of messages and by TLS record headers. Keeps only the heads of
/// what is not acknowledged.
class Stream {
  public:
    explicit Stream(std::uint64_t seed) noexcept : seed_(seed) {}

    /// Adds `head` and `more` bytes after it, at least one byte in all. With `tls`, those bytes are records of
    /// application data; a last one too short to be a record is filled up.
    void append(std::string head, std::uint64_t more, bool tls) {
        const std::uint64_t rest = more % kRecord;
        if (tls && rest != 0 && rest < kLeastRecord) {
            more += kLeastRecord - rest;
        }
        const std::uint64_t past = size_ + std::max<std::uint64_t>(head.size() + more, 1);
        if (!head.empty() || tls) {
            parts_.push_back({size_, past, std::move(head), tls});
        }
        size_ = past;
    }
    [[nodiscard]] std::uint64_t size() const noexcept { return size_; }
    void forget_before(std::uint64_t offset) {
        while (!parts_.empty() && parts_.front().past <= offset) {
            parts_.pop_front();
        }
    }
    /// The bytes from `offset`.
    void read(std::uint64_t offset, std::span<std::uint8_t> out) const {
        std::uint64_t word = 0;
        for (std::size_t i = 0; i < out.size(); ++i) {
            const std::uint64_t o = offset + i;
            if (i == 0 || o % 8 == 0) {
                word = mix64(seed_ + o / 8);
            }
            out[i] = static_cast<std::uint8_t>(word >> (o % 8 * 8));
        }
        for (const Part& part : parts_) {
            if (part.begin < offset + out.size() && part.past > offset) {
                overlay(part, offset, out);
            }
        }
    }

  private:
    static constexpr std::uint64_t kRecord = 16384 + 5;
    static constexpr std::uint64_t kLeastRecord =
        5 + 17;  // a content type and an authentication tag
    struct Part {
        std::uint64_t begin;
        std::uint64_t past;
        std::string head;
        bool tls;
    };
    static void put(
        std::uint64_t where,
        std::uint8_t value,
        std::uint64_t offset,
        std::span<std::uint8_t> out) {
        if (where >= offset && where - offset < out.size()) {
            out[where - offset] = value;
        }
    }
    static void overlay(const Part& part, std::uint64_t offset, std::span<std::uint8_t> out) {
        for (std::size_t i = 0; i < part.head.size(); ++i) {
            put(part.begin + i, static_cast<std::uint8_t>(part.head[i]), offset, out);
        }
        const std::uint64_t body = part.begin + part.head.size();
        // Only the records that begin in what is read, or a little before it.
        std::uint64_t record = offset > body ? (offset - body) / kRecord * kRecord + body : body;
        for (; part.tls && record < part.past && record < offset + out.size(); record += kRecord) {
            const std::uint64_t length = std::min(kRecord, part.past - record) - 5;
            put(record, 0x17, offset, out);
            put(record + 1, 0x03, offset, out);
            put(record + 2, 0x03, offset, out);
            put(record + 3, static_cast<std::uint8_t>(length >> 8U), offset, out);
            put(record + 4, static_cast<std::uint8_t>(length), offset, out);
        }
    }

    std::uint64_t seed_;
    std::uint64_t size_ = 0;
    std::deque<Part> parts_;
};

}  // namespace weir::lab::synth
