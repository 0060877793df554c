// SPDX-License-Identifier: BSD-3-Clause
// Where packets come from: flows and campaigns, each a small state machine that knows when it next acts. The engine
// merges them by time, so no more than their states is ever in memory.
#pragma once

#include "control/lab/generate_packet.h"
#include "control/lab/generate_random.h"

#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace weir::lab::synth {

inline constexpr Nanos kNever = std::numeric_limits<Nanos>::max();

class Source;

/// Takes what sources give. Thread: the generating one.
class Sink {
  public:
    Sink() = default;
    Sink(const Sink&) = delete;
    Sink& operator=(const Sink&) = delete;
    virtual ~Sink() = default;
    /// `opens`: the first packet of its flow; its sender is the flow's initiator.
    virtual void packet(const Packet& packet, bool opens) = 0;
    /// Adds a source of the same scenario; it must not begin before now.
    virtual void spawn(std::unique_ptr<Source> source) = 0;
};

/// Acts at next(), and is dropped once that is kNever.
class Source {
  public:
    explicit Source(Nanos first) noexcept : next_(first) {}
    Source(const Source&) = delete;
    Source& operator=(const Source&) = delete;
    virtual ~Source() = default;
    [[nodiscard]] Nanos next() const noexcept { return next_; }
    /// Does what is due at next() and moves next() on, never back.
    virtual void step(Sink& sink) = 0;

  protected:
    void set_next(Nanos next) noexcept { next_ = next; }

  private:
    Nanos next_;
};

/// A UDP payload or an ICMP echo's data, at the moment it passes the gateway.
struct Datagram {
    Nanos at = 0;
    Side from = Side::initiator;
    std::string payload;
};

/// Gives the datagrams of one flow in order of time; nullopt: there are no more.
using DatagramScript = std::function<std::optional<Datagram>(Rng&)>;

/// One UDP or ICMP echo flow.
[[nodiscard]] std::unique_ptr<Source> make_datagrams(
    const Tuple& tuple, DatagramScript script, std::uint64_t seed);

/// A hop limit of a common operating system, some hops away.
[[nodiscard]] std::uint8_t draw_ttl(Rng& rng) noexcept;

/// A few packets known beforehand, of one flow or more.
struct Shot {
    Nanos at = 0;
    bool opens = false;
    Packet packet;  ///< payload is not used
    std::string payload;
};
[[nodiscard]] std::unique_ptr<Source> make_shots(std::vector<Shot> shots);

/// Calls `act(now, sink)` at `first` and then at each time it gives back, until nullopt.
using Action = std::function<std::optional<Nanos>(Nanos now, Sink& sink)>;
[[nodiscard]] std::unique_ptr<Source> make_repeater(Nanos first, Action act);

}  // namespace weir::lab::synth
