// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/generate_talk.h"

#include "control/lab/generate_payload.h"

namespace weir::lab::synth {

// Braced lists throughout: their parts are evaluated in order, so that the numbers drawn are the same everywhere.

std::vector<Message> tls_opening(Rng& rng) {
    const std::string host = token(rng.between(4, 12), rng) + ".example.com";
    std::vector<Message> said;
    said.push_back({Side::initiator, rng.below(500 * kMicro), tls_client_hello(host, rng)});
    // Certificate and finished are encrypted.
    said.push_back(
        {Side::responder,
         200 * kMicro + rng.below(2 * kMilli),
         tls_server_hello(rng),
         rng.between(1200, 4200),
         true});
    said.push_back(
        {Side::initiator,
         300 * kMicro + rng.below(2 * kMilli),
         tls_change_cipher_spec(),
         74,
         true});
    return said;
}

std::vector<Message> ssh_opening(Rng& rng) {
    constexpr auto kClient = Side::initiator;
    constexpr auto kServer = Side::responder;
    std::vector<Message> said;
    const auto add = [&](Side from, std::string head, std::uint64_t more) {
        said.push_back({from, 200 * kMicro + rng.below(3 * kMilli), std::move(head), more});
    };
    add(kServer, ssh_banner(true, rng), 0);
    add(kClient, ssh_banner(false, rng), 0);
    add(kServer, ssh_kexinit(rng), 0);
    add(kClient, ssh_kexinit(rng), 0);
    add(kClient, ssh_kex_init(rng), 0);
    add(kServer, ssh_kex_reply(rng), 0);
    add(kClient, ssh_newkeys(rng), 0);
    add(kClient, {}, 44);  // service request, accepted
    add(kServer, {}, 44);
    return said;
}

TcpScript then(std::vector<Message> opening, TcpScript rest) {
    return [opening = std::move(opening), rest = std::move(rest), index = std::size_t{0}](
               Rng& rng) mutable -> std::optional<Message> {
        if (index < opening.size()) {
            return std::move(opening[index++]);
        }
        return rest ? rest(rng) : std::nullopt;
    };
}

TcpScript questions(std::uint64_t turns, MessageMaker ask, MessageMaker answer) {
    return [turns, ask = std::move(ask), answer = std::move(answer), said = std::uint64_t{0}](
               Rng& rng) mutable -> std::optional<Message> {
        if (said == 2 * turns) {
            return std::nullopt;
        }
        return said++ % 2 == 0 ? ask(rng) : answer(rng);
    };
}

DatagramScript play(std::vector<Datagram> datagrams) {
    return [datagrams = std::move(datagrams),
            index = std::size_t{0}](Rng&) mutable -> std::optional<Datagram> {
        if (index == datagrams.size()) {
            return std::nullopt;
        }
        return std::move(datagrams[index++]);
    };
}

}  // namespace weir::lab::synth
