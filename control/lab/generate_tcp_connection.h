// SPDX-License-Identifier: BSD-3-Clause
// One simulated connection. Its events are those of both ends and of the gateway between them; the segments that pass
// the gateway are what the capture gets.
#pragma once

#include "control/lab/generate_tcp.h"
#include "control/lab/generate_tcp_state.h"
#include "control/lab/generate_tcp_stream.h"

namespace weir::lab::synth {

class Connection final : public Source {
  public:
    Connection(TcpPlan plan, std::uint64_t seed);
    void step(Sink& sink) override;

  private:
    [[nodiscard]] Peer& end(Side side) noexcept { return ends_[at(side)]; }
    [[nodiscard]] Nanos to_tap(Side sender) const noexcept {
        return sender == Side::initiator ? plan_.near : plan_.far;
    }
    void push(Event event);
    void handle(const Event& event, Sink& sink);

    // Sending: generate_tcp.cpp.
    void open(Nanos now);
    [[nodiscard]] Event segment(Side side, Nanos now, std::uint8_t flags);
    void send(Side side, Nanos now, std::uint8_t flags);  ///< without payload
    void send(Side side, Nanos now, std::uint8_t flags, std::uint64_t offset, std::uint32_t length);
    void lose(Side side, Nanos now, const Event& what);
    void resend(Side side, Nanos now);
    [[nodiscard]] std::uint64_t allowed(Side side) const noexcept;
    void pump(Side side, Nanos now);

    // Receiving: generate_tcp_receive.cpp.
    void pass(const Event& event, Sink& sink);
    void arrive(const Event& event);
    void greet(Side me, const Event& event);
    void take_ack(Side me, const Event& event);
    void take_data(Side me, const Event& event);
    void probe(Side me, Nanos now);
    void reopen(Side me, Nanos now);

    // The conversation: generate_tcp.cpp.
    void next_message(Nanos now, Side me);
    void speak(Side side, Nanos now);
    void finish(Side side, Nanos now);

    TcpPlan plan_;
    Rng rng_;
    std::array<Stream, 2> streams_;
    std::array<Peer, 2> ends_{};
    std::vector<Event> events_;  // a heap
    Message pending_;
    std::uint32_t order_ = 0;
    std::uint32_t mss_ = 0;
    std::uint32_t segment_ = 0;  // payload bytes of a full segment
    unsigned syn_tries_ = 0;
    Side speaker_ = Side::initiator;
    bool talking_ = false;
    bool timestamps_ = false;
    bool begun_ = false;
    bool over_ = false;
};

}  // namespace weir::lab::synth
