// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_source.h"

#include <algorithm>

namespace weir::lab::synth {
namespace {

[[nodiscard]] Bytes bytes_of(const std::string& text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

class Datagrams final : public Source {
  public:
    Datagrams(const Tuple& tuple, DatagramScript script, std::uint64_t seed)
        : Source(kNever), script_(std::move(script)), rng_(seed) {
        packet_.tuple = tuple;
        for (auto& side : sides_) {
            side.ttl = draw_ttl(rng_);
            side.ip_id = static_cast<std::uint16_t>(rng_.next());
        }
        echo_ = static_cast<std::uint16_t>(rng_.below(32768));
        pull();
    }
    void step(Sink& sink) override {
        packet_.from = datagram_->from;
        Of& side = sides_[at(packet_.from)];
        packet_.ttl = side.ttl;
        packet_.ip_id = side.ip_id++;
        packet_.payload = bytes_of(datagram_->payload);
        set_echo();
        sink.packet(packet_, !begun_);
        begun_ = true;
        pull();
    }

  private:
    struct Of {
        std::uint8_t ttl = 64;
        std::uint16_t ip_id = 0;
    };
    void pull() {
        const Nanos before = begun_ ? next() : 0;
        datagram_ = script_(rng_);
        set_next(datagram_ ? std::max(before, datagram_->at) : kNever);
    }
    void set_echo() noexcept {
        const std::uint8_t proto = packet_.tuple.proto;
        const bool request = packet_.from == Side::initiator;
        if (proto == kUdp) {
            return;
        }
        echo_ = static_cast<std::uint16_t>(echo_ + (request ? 1 : 0));
        packet_.icmp.type =
            static_cast<std::uint8_t>(proto == kIcmp ? (request ? 8 : 0) : (request ? 128 : 129));
        packet_.icmp.rest = std::uint32_t{packet_.tuple.initiator_port} << 16U | echo_;
    }

    DatagramScript script_;
    Rng rng_;
    Packet packet_;
    std::array<Of, 2> sides_{};
    std::optional<Datagram> datagram_;
    std::uint16_t echo_ = 0;
    bool begun_ = false;
};

class Shots final : public Source {
  public:
    explicit Shots(std::vector<Shot> shots)
        : Source(shots.empty() ? kNever : shots.front().at), shots_(std::move(shots)) {}
    void step(Sink& sink) override {
        Shot& shot = shots_[index_++];
        shot.packet.payload = bytes_of(shot.payload);
        sink.packet(shot.packet, shot.opens);
        set_next(index_ < shots_.size() ? std::max(next(), shots_[index_].at) : kNever);
    }

  private:
    std::vector<Shot> shots_;
    std::size_t index_ = 0;
};

class Repeater final : public Source {
  public:
    Repeater(Nanos first, Action act) : Source(first), act_(std::move(act)) {}
    void step(Sink& sink) override {
        const auto again = act_(next(), sink);
        set_next(again ? std::max(*again, next()) : kNever);
    }

  private:
    Action act_;
};

}  // namespace

std::uint8_t draw_ttl(Rng& rng) noexcept {
    const std::uint64_t hops = rng.below(18);
    return static_cast<std::uint8_t>((rng.chance(0.6) ? 64 : 128) - hops);
}

std::unique_ptr<Source> make_datagrams(
    const Tuple& tuple, DatagramScript script, std::uint64_t seed) {
    return std::make_unique<Datagrams>(tuple, std::move(script), seed);
}

std::unique_ptr<Source> make_shots(std::vector<Shot> shots) {
    return std::make_unique<Shots>(std::move(shots));
}

std::unique_ptr<Source> make_repeater(Nanos first, Action act) {
    return std::make_unique<Repeater>(first, std::move(act));
}

}  // namespace weir::lab::synth
