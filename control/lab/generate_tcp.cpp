// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_tcp.h"

#include "control/lab/generate_tcp_connection.h"

#include <algorithm>
#include <utility>

namespace weir::lab::synth {

Connection::Connection(TcpPlan plan, std::uint64_t seed)
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

void Connection::step(Sink& sink) {
    std::pop_heap(events_.begin(), events_.end());
    const Event event = events_.back();
    events_.pop_back();
    handle(event, sink);
    set_next(events_.empty() ? kNever : events_.front().at);
}

void Connection::push(Event event) {
    event.order = order_++;
    events_.push_back(event);
    std::push_heap(events_.begin(), events_.end());
}

void Connection::handle(const Event& event, Sink& sink) {
    switch (event.kind) {
        case Kind::open:
            return open(event.at);
        case Kind::pass:
            return pass(event, sink);
        case Kind::arrive:
            return arrive(event);
        case Kind::delayed_ack:
            if (!over_ && end(event.side).timer == event.offset && end(event.side).unacked != 0) {
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

// ---- sending --------------------------------------------------------------------------------------------------------

// The SYN's event is already at the gateway: the capture's clock is the only one that shows.
void Connection::open(Nanos now) {
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

Event Connection::segment(Side side, Nanos now, std::uint8_t flags) {
    Peer& from = end(side);
    const Peer& to = end(other(side));
    const Stack& stack = plan_.stacks[at(side)];
    Event out{.kind = Kind::pass, .side = side, .offset = from.sent, .acked = from.received};
    TcpHeader& tcp = out.tcp;
    tcp.flags = flags;
    tcp.seq =
        from.first_seq + ((flags & tcp_syn) != 0 ? 0 : 1 + static_cast<std::uint32_t>(from.sent));
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
            from.full ? 0
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

void Connection::send(Side side, Nanos now, std::uint8_t flags) {
    send(side, now, flags, end(side).sent, 0);
}

// `length` bytes of the stream from `offset`.
void Connection::send(
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
            return;  // before the gateway
        }
        out.lost_after = true;
    }
    push(out);
}

void Connection::lose(Side side, Nanos now, const Event& what) {
    end(side).loss = {what.offset, what.length, true, false};
    const Nanos timeout = std::max(kMinRetransmit, 2 * (plan_.near + plan_.far)) + (what.at - now);
    push({.at = now + timeout, .kind = Kind::retransmit, .side = side, .offset = what.offset});
}

void Connection::resend(Side side, Nanos now) {
    Peer& from = end(side);
    if (over_ || !from.loss.open || from.loss.resent) {
        return;
    }
    from.loss.resent = true;
    from.window = std::max<std::uint64_t>(from.window / 2, 2);
    send(side, now, tcp_ack | tcp_psh, from.loss.offset, from.loss.length);
}

std::uint64_t Connection::allowed(Side side) const noexcept {
    const Peer& from = ends_[at(side)];
    return std::min(std::min(from.window, kMaxSegmentsInFlight) * segment_, from.peer_window);
}

// Sends what the windows let out.
void Connection::pump(Side side, Nanos now) {
    Peer& from = end(side);
    const std::uint64_t limit = streams_[at(side)].size();
    while (from.sent < limit) {
        const std::uint64_t open = allowed(side) - std::min(allowed(side), from.sent - from.acked);
        const auto length = static_cast<std::uint32_t>(
            std::min({std::uint64_t{segment_}, limit - from.sent, open}));
        const bool whole = length == segment_ || from.sent + length == limit;
        if (length == 0 || (!whole && from.sent != from.acked)) {
            return;  // no silly windows: RFC 9293, 3.8.6.2
        }
        const auto flags =
            static_cast<std::uint8_t>(from.sent + length == limit ? tcp_ack | tcp_psh : tcp_ack);
        send(side, now, flags, from.sent, length);
        from.sent += length;
    }
}

// ---- the conversation -----------------------------------------------------------------------------------------------

// `me`: the end that learns at `now` that the message before is complete.
void Connection::next_message(Nanos now, Side me) {
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

void Connection::speak(Side side, Nanos now) {
    if (over_) {
        return;
    }
    streams_[at(side)].append(std::move(pending_.head), pending_.more, pending_.tls);
    talking_ = true;
    pump(side, now);
}

void Connection::finish(Side side, Nanos now) {
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
