// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_tcp.h"

#include "control/lab/generate_tcp_state.h"
#include "control/lab/generate_tcp_stream.h"

#include <algorithm>
#include <utility>

namespace weir::lab::synth {
namespace {

class Connection final : public Source {
  public:
    Connection(TcpPlan plan, std::uint64_t seed)
        : Source(plan.start),
          plan_(std::move(plan)),
          rng_(seed),
          streams_{Stream(mix64(seed)), Stream(mix64(seed + 1))} {
        for (auto& end : ends_) {
            end.first_seq = static_cast<std::uint32_t>(rng_.next());
            end.ts_base = static_cast<std::uint32_t>(rng_.next());
            end.ip_id = static_cast<std::uint16_t>(rng_.next());
        }
        timestamps_ = plan_.stacks[0].timestamps && plan_.stacks[1].timestamps;
        const std::uint32_t ip = plan_.tuple.initiator.v6 ? 40 : 20;
        mss_ = static_cast<std::uint32_t>(kMaxIpBytes) - ip - 20;
        segment_ = mss_ - (timestamps_ ? 12 : 0);
        push({.at = plan_.start, .kind = Kind::open});
    }

    void step(Sink& sink) override {
        std::pop_heap(events_.begin(), events_.end());
        const Event event = events_.back();
        events_.pop_back();
        handle(event, sink);
        set_next(events_.empty() ? kNever : events_.front().at);
    }

  private:
    [[nodiscard]] Peer& end(Side side) noexcept { return ends_[at(side)]; }
    [[nodiscard]] Nanos to_tap(Side sender) const noexcept {
        return sender == Side::initiator ? plan_.near : plan_.far;
    }
    void push(Event event) {
        event.order = order_++;
        events_.push_back(event);
        std::push_heap(events_.begin(), events_.end());
    }

    void handle(const Event& event, Sink& sink) {
        switch (event.kind) {
            case Kind::open:
                return open(event.at);
            case Kind::pass:
                return pass(event, sink);
            case Kind::arrive:
                return arrive(event);
            case Kind::delayed_ack:
                if (!over_ && end(event.side).timer == event.offset &&
                    end(event.side).unacked != 0) {
                    send(event.side, event.at, tcp_ack);
                }
                return;
            case Kind::reopen:
                return reopen(event.side, event.at);
            case Kind::probe:
                return probe(event.side, event.at);
            case Kind::retransmit:
                return resend(event.side, event.at);
            case Kind::speak:
                return speak(event.side, event.at);
            case Kind::finish:
                return finish(event.side, event.at);
        }
    }

    // ---- sending ----------------------------------------------------------------------------------------------------

    // The SYN's event is already at the gateway: the capture's clock is the only one that shows.
    void open(Nanos now) {
        ++syn_tries_;
        const bool unheard = plan_.answer == Answer::silence || rng_.chance(plan_.loss / 4);
        Event syn = segment(Side::initiator, now, tcp_syn);
        syn.at = now;
        syn.lost_after = unheard;
        end(Side::initiator).last_pass = now;
        push(syn);
        if (unheard && syn_tries_ <= kSynTries) {
            push({.at = now + (kSynRetransmit << (syn_tries_ - 1)), .kind = Kind::open});
        }
    }

    [[nodiscard]] Event segment(Side side, Nanos now, std::uint8_t flags) {
        Peer& from = end(side);
        const Peer& to = end(other(side));
        const Stack& stack = plan_.stacks[at(side)];
        Event out{.kind = Kind::pass, .side = side, .offset = from.sent, .acked = from.received};
        TcpHeader& tcp = out.tcp;
        tcp.flags = flags;
        tcp.seq = from.first_seq +
                  ((flags & tcp_syn) != 0 ? 0 : 1 + static_cast<std::uint32_t>(from.sent));
        if ((flags & tcp_ack) != 0) {
            tcp.ack = to.first_seq + 1 + static_cast<std::uint32_t>(from.received);
        }
        if ((flags & tcp_syn) != 0) {
            tcp.window = stack.syn_window;
            tcp.mss = static_cast<std::uint16_t>(mss_);
            tcp.window_shift = stack.window_shift;
            tcp.sack_permitted = true;
        } else if ((flags & tcp_rst) == 0) {
            tcp.window = static_cast<std::uint16_t>(
                from.full
                    ? 0
                    : std::min<std::uint32_t>(stack.window_bytes >> stack.window_shift, 65535));
            if (from.ahead_from != from.ahead_to) {
                tcp.sack_from = to.first_seq + 1 + static_cast<std::uint32_t>(from.ahead_from);
                tcp.sack_to = to.first_seq + 1 + static_cast<std::uint32_t>(from.ahead_to);
            }
        }
        tcp.timestamps = timestamps_ && (flags & tcp_rst) == 0;
        tcp.ts_value = from.ts_base + static_cast<std::uint32_t>(now / kMilli);
        tcp.ts_echo = from.ts_recent;
        return out;
    }

    // A segment without payload, or `length` bytes of the stream from `offset`.
    void send(Side side, Nanos now, std::uint8_t flags) {
        send(side, now, flags, end(side).sent, 0);
    }
    Event send(
        Side side, Nanos now, std::uint8_t flags, std::uint64_t offset, std::uint32_t length) {
        Peer& from = end(side);
        Event out = segment(side, now, flags);
        out.tcp.seq += static_cast<std::uint32_t>(offset - from.sent);
        out.offset = offset;
        out.length = length;
        const Nanos leaves = std::max(now, from.link_free);
        from.link_free = leaves + static_cast<Nanos>((length + 78) * plan_.ns_per_byte[at(side)]);
        const Nanos leg = to_tap(side);
        out.at = std::max(leaves + leg + rng_.below(leg / 32 + 1), from.last_pass + kMicro);
        from.last_pass = out.at;
        from.unacked = 0;
        ++from.timer;
        if (length != 0 && !from.loss.open && rng_.chance(plan_.loss)) {
            lose(side, now, out);
            if (rng_.chance(0.5)) {
                return out;  // before the gateway
            }
            out.lost_after = true;
        }
        push(out);
        return out;
    }

    void lose(Side side, Nanos now, const Event& what) {
        end(side).loss = {what.offset, what.length, true, false};
        const Nanos timeout =
            std::max(kMinRetransmit, 2 * (plan_.near + plan_.far)) + (what.at - now);
        push({.at = now + timeout, .kind = Kind::retransmit, .side = side, .offset = what.offset});
    }

    void resend(Side side, Nanos now) {
        Peer& from = end(side);
        if (over_ || !from.loss.open || from.loss.resent) {
            return;
        }
        from.loss.resent = true;
        from.window = std::max<std::uint64_t>(from.window / 2, 2);
        send(side, now, tcp_ack | tcp_psh, from.loss.offset, from.loss.length);
    }

    [[nodiscard]] std::uint64_t allowed(Side side) const noexcept {
        const Peer& from = ends_[at(side)];
        return std::min(std::min(from.window, kMaxSegmentsInFlight) * segment_, from.peer_window);
    }

    // Sends what the windows let out.
    void pump(Side side, Nanos now) {
        Peer& from = end(side);
        const std::uint64_t limit = streams_[at(side)].size();
        while (from.sent < limit) {
            const std::uint64_t open =
                allowed(side) - std::min(allowed(side), from.sent - from.acked);
            const auto length = static_cast<std::uint32_t>(
                std::min({std::uint64_t{segment_}, limit - from.sent, open}));
            const bool whole = length == segment_ || from.sent + length == limit;
            if (length == 0 || (!whole && from.sent != from.acked)) {
                return;  // no silly windows: RFC 9293, 3.8.6.2
            }
            const auto flags = static_cast<std::uint8_t>(
                from.sent + length == limit ? tcp_ack | tcp_psh : tcp_ack);
            send(side, now, flags, from.sent, length);
            from.sent += length;
        }
    }

    // ---- receiving --------------------------------------------------------------------------------------------------

    void pass(const Event& event, Sink& sink) {
        Packet packet;
        packet.tuple = plan_.tuple;
        packet.from = event.side;
        packet.ttl = plan_.stacks[at(event.side)].ttl;
        packet.ip_id = end(event.side).ip_id++;
        packet.tcp = event.tcp;
        std::array<std::uint8_t, kMaxIpBytes> buffer;
        const auto payload = std::span(buffer).first(event.length);
        streams_[at(event.side)].read(event.offset, payload);
        packet.payload = payload;
        sink.packet(packet, !begun_);
        begun_ = true;
        if (!event.lost_after) {
            Event there = event;
            there.kind = Kind::arrive;
            there.at = event.at + to_tap(other(event.side));
            push(there);
        }
    }

    void arrive(const Event& event) {
        const Side me = other(event.side);
        if ((event.tcp.flags & tcp_rst) != 0) {
            over_ = true;
        }
        if (over_) {
            return;
        }
        if (event.tcp.timestamps) {
            end(me).ts_recent = event.tcp.ts_value;
        }
        const bool syn = (event.tcp.flags & tcp_syn) != 0;
        end(me).peer_window = std::uint64_t{event.tcp.window}
                              << (syn ? 0 : plan_.stacks[at(event.side)].window_shift);
        if (syn) {
            return greet(me, event);
        }
        take_ack(me, event);
        if (event.length == 0 && event.offset < end(me).received) {
            send(me, event.at, tcp_ack);  // answers a probe
        } else if (event.length != 0) {
            take_data(me, event);
        } else if ((event.tcp.flags & tcp_fin) != 0) {
            ++end(me).received;
            if (end(me).finished) {
                send(me, event.at, tcp_ack);
            } else {
                finish(me, event.at + 50 * kMicro);
            }
        }
    }

    void greet(Side me, const Event& event) {
        const Nanos now = event.at;
        if (me == Side::responder) {
            if (plan_.answer == Answer::refuse) {
                over_ = true;
                Event reset = segment(me, now, tcp_rst | tcp_ack);
                reset.tcp.seq = 0;
                reset.at = now + plan_.far + 20 * kMicro;
                push(reset);
                return;
            }
            const Nanos ready = now + 20 * kMicro + rng_.below(80 * kMicro);
            Event answer = segment(me, ready, tcp_syn | tcp_ack);
            answer.at = ready + plan_.far;
            end(me).last_pass = answer.at;
            push(answer);
            return;
        }
        send(me, now, tcp_ack);
        next_message(now, Side::initiator);
    }

    void take_ack(Side me, const Event& event) {
        Peer& mine = end(me);
        if (event.acked > mine.acked) {
            mine.acked = event.acked;
            mine.duplicates = 0;
            mine.window = std::min(mine.window + 1, kMaxSegmentsInFlight);
            if (mine.loss.open && mine.acked > mine.loss.offset) {
                mine.loss.open = false;
            }
            streams_[at(me)].forget_before(mine.acked);
        } else if (mine.loss.open && event.length == 0 && event.acked == mine.acked) {
            if (++mine.duplicates == 3) {
                resend(me, event.at);
            }
        }
        if (!mine.finished) {
            pump(me, event.at);
            if (mine.peer_window == 0 && mine.probe_gap == 0 &&
                mine.sent < streams_[at(me)].size()) {
                mine.probe_gap = kMinRetransmit + 2 * (plan_.near + plan_.far);
                push({.at = event.at + mine.probe_gap, .kind = Kind::probe, .side = me});
            }
        }
    }

    // RFC 9293, 3.8.6.1: less and less often.
    void probe(Side me, Nanos now) {
        Peer& mine = end(me);
        if (over_ || mine.peer_window != 0) {
            mine.probe_gap = 0;
            return;
        }
        Event probe = segment(me, now, tcp_ack);
        --probe.offset;
        --probe.tcp.seq;
        probe.at = std::max(now + to_tap(me), mine.last_pass + kMicro);
        mine.last_pass = probe.at;
        push(probe);
        mine.probe_gap *= 2;
        push({.at = now + mine.probe_gap, .kind = Kind::probe, .side = me});
    }

    void reopen(Side me, Nanos now) {
        end(me).full = false;
        if (!over_) {
            send(me, now, tcp_ack);
        }
    }

    void take_data(Side me, const Event& event) {
        Peer& mine = end(me);
        const std::uint64_t past = event.offset + event.length;
        bool at_once = true;  // gaps, and what fills them, are acknowledged immediately
        if (event.offset == mine.received) {
            mine.received = past;
            if (mine.ahead_from != mine.ahead_to && mine.ahead_from <= past) {
                mine.received = std::max(past, mine.ahead_to);
                mine.ahead_from = mine.ahead_to = 0;
            } else {
                at_once = ++mine.unacked >= 2;
            }
        } else if (event.offset > mine.received) {
            if (mine.ahead_from == mine.ahead_to) {
                mine.ahead_from = event.offset;
            }
            mine.ahead_to = std::max(mine.ahead_to, past);
        }
        if (plan_.read_pause != 0 && me == Side::initiator) {
            at_once = true;
            if (!std::exchange(mine.full, true)) {
                push({.at = event.at + plan_.read_pause, .kind = Kind::reopen, .side = me});
            }
        }
        if (at_once) {
            send(me, event.at, tcp_ack);
        } else {
            push(
                {.at = event.at + kDelayedAck,
                 .kind = Kind::delayed_ack,
                 .side = me,
                 .offset = mine.timer});
        }
        if (talking_ && event.side == speaker_ &&
            mine.received == streams_[at(event.side)].size()) {
            talking_ = false;
            next_message(event.at, me);
        }
    }

    // ---- the conversation -------------------------------------------------------------------------------------------

    // `me`: the end that learns at `now` that the message before is complete.
    void next_message(Nanos now, Side me) {
        std::optional<Message> message;
        if (plan_.script && now < plan_.start + kMaxConnection) {
            message = plan_.script(rng_);
        }
        // On the handshake it is the initiator that learns; the responder's turn comes one trip later.
        const bool first = end(Side::responder).sent == 0 && end(Side::initiator).sent == 0;
        const auto later = [&](Side who) {
            return first && who != me ? now + plan_.near + plan_.far : now;
        };
        if (message) {
            pending_ = std::move(*message);
            speaker_ = pending_.from;
            push({.at = later(speaker_) + pending_.delay, .kind = Kind::speak, .side = speaker_});
        } else if (plan_.end != End::leave_open) {
            push(
                {.at = later(plan_.closer) + plan_.end_delay,
                 .kind = Kind::finish,
                 .side = plan_.closer});
        }
    }

    void speak(Side side, Nanos now) {
        if (over_) {
            return;
        }
        streams_[at(side)].append(std::move(pending_.head), pending_.more, pending_.tls);
        talking_ = true;
        pump(side, now);
    }

    void finish(Side side, Nanos now) {
        Peer& mine = end(side);
        if (over_ || mine.finished) {
            return;
        }
        if (plan_.end == End::reset && side == plan_.closer) {
            over_ = true;
            send(side, now, tcp_rst | tcp_ack);
            return;
        }
        send(side, now, tcp_fin | tcp_ack);
        mine.finished = true;
        ++mine.sent;
    }

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

}  // namespace

Stack draw_stack(Rng& rng) noexcept {
    const auto hops = static_cast<std::uint8_t>(rng.below(18));
    switch (rng.below(5)) {
        case 0:
        case 1:
            return {static_cast<std::uint8_t>(64 - hops), 64240, 7, 64256, true};
        case 2:
            return {static_cast<std::uint8_t>(64 - hops), 29200, 7, 29312, true};
        case 3:
            return {static_cast<std::uint8_t>(64 - hops), 65535, 6, 131712, true};
        default:
            return {static_cast<std::uint8_t>(128 - hops), 64240, 8, 131328, false};
    }
}

std::unique_ptr<Source> make_tcp(TcpPlan plan, std::uint64_t seed) {
    return std::make_unique<Connection>(std::move(plan), seed);
}

}  // namespace weir::lab::synth
