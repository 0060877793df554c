// SPDX-License-Identifier: BSD-3-Clause
// Pieces of conversation that several scenarios share.
#pragma once

#include "control/lab/generate_tcp.h"

#include <vector>

namespace weir::lab::synth {

/// The handshakes of TLS 1.3 and of SSH up to the log-in.
[[nodiscard]] std::vector<Message> tls_opening(Rng& rng);
[[nodiscard]] std::vector<Message> ssh_opening(Rng& rng);

/// `opening`, then `rest` (which may be empty).
[[nodiscard]] TcpScript then(std::vector<Message> opening, TcpScript rest);
/// `turns` questions of the initiator with an answer each; `ask` and `answer` make them.
using MessageMaker = std::function<Message(Rng&)>;
[[nodiscard]] TcpScript questions(std::uint64_t turns, MessageMaker ask, MessageMaker answer);

/// Datagrams known beforehand, in order of time.
[[nodiscard]] DatagramScript play(std::vector<Datagram> datagrams);

}  // namespace weir::lab::synth
