// SPDX-License-Identifier: BSD-3-Clause
// The catalog as a docs page.
#include "dataplane/features/catalog.h"
#include "dataplane/features/payload_kind.h"
#include "dataplane/features/well_known_ports.h"

#include <array>
#include <string>

namespace weir::dataplane {

namespace {

constexpr std::array<std::string_view, kFeatureGroups> kGroupTexts{
    "This packet's headers.",
    "Flow counters, each way and together.",
    "IP length statistics.",
    "Inter-arrival statistics.",
    "TCP behaviour; all zero for other protocols.",
    "The first 16 packets: signed lengths and gaps.",
    "Aggregates of the flow's two hosts over all their flows.",
    "What the first payloads look like. Only on gateways with `features.payload: true`; zeros "
    "elsewhere.",
};

[[nodiscard]] std::string opening() {
    return R"(# Feature catalog

<!-- Made by `weir features --markdown` from dataplane/features/catalog_table.h; do not edit. -->

Catalog version )" +
           std::to_string(kCatalogVersion) + ", " + std::to_string(feature_count()) + R"( features.

A model reads each feature as a **code**, one byte, which a monotone encoder makes of the raw value. The same code
computes features live, in replay and for extraction, with correctly rounded single-precision operations only: the same
packets and times give the same codes on every machine, whatever the burst size.

The *initiator* sent the flow's first packet; its direction is `fwd`. The *responder* is the other end; its direction is
`bwd`. Every value is as of the packet in hand, itself included. Lengths are IP total lengths. Times are whole
microseconds from the packets' timestamps; time that runs backwards counts as no time. Counters saturate.

Host features look at all flows of a host that the same worker sees. A host is an address within its tunnel, VLAN and
port pair. *Decayed* sums halve every 2^33 ns (8.6 s), in steps of 2^27 ns (0.13 s); rates are such sums divided by
their mean life of 12.4 s. *Windowed* counts cover the present and the previous window of 2^35 ns (34 s) and are
estimates from bitmaps of 128 bits (64 for `resp_ports`): about 7 % standard error at 128 distinct values, at most 695
(304). A host for which the table has no room reads as zeros.

*Caution*: `identity` features tell capture points, operating systems or links apart, `port` features say what a service
claims to be, `payload` features need a gateway that may look into packets. They are there for whoever wants them;
training leaves them out unless they are asked for.

Payload features look at the first 32 payloads each way, all among the flow's first 255 packets, and at no more than
512 bytes of each. They read what protocols fix in their headers: no server's name, no address, nothing that a user wrote
is kept but lengths, counts and the first three bytes. Zeros before a payload came.

## Encoders

| encoder | code |
|---|---|
| `log:P` | 8 codes an octave: the value's IEEE single-precision bits, shifted right by 20, minus P, within 0…255. `log:1015`: below 1 is 0, 1 is 1, up to 3758096384. `log:935`: the same from 1/1024 to 3670016 |
| `identity` | the value itself, at most 255 |
| `shift:N` | the value divided by 2^N, rounded down, at most 255 |
| `ratio` | the value times 255, rounded down: 255 only for 1 |
| `signed:N` | 128 plus the value divided by N, rounded down, within 0…255 |
| `port:1` | 2i + 1 for the i-th port (from 0) of the list below, 2i for ports between it and the one before |

Ports of `port:1`: )";
}

[[nodiscard]] std::string port_list() {
    std::string out;
    for (const std::uint16_t port : kWellKnownPorts) {
        out += (out.empty() ? "" : ", ") + std::to_string(port);
    }
    return out + ".\n";
}

[[nodiscard]] std::string kind_list() {
    std::string out =
        "\n### Kinds of payload\n\nThe upper four bits of a code are what a protocol is for, the "
        "lower four which one.\n\n"
        "| code | what |\n|---:|---|\n";
    for (const PayloadKindInfo& info : payload_kinds()) {
        out += "| " + std::to_string(static_cast<unsigned>(info.kind)) + " | " +
               std::string(info.what) + " |\n";
    }
    return out;
}

[[nodiscard]] std::string feature_row(const FeatureInfo& feature) {
    std::string out =
        "| " + std::to_string(feature.id) + " | `" + std::string(feature.name) + "` | ";
    out += std::string(feature.unit) + " | `" + std::string(feature.encoder_text) + "` | ";
    return out + std::string(feature.description) + " | " +
           std::string(caution_name(feature.caution)) + " |\n";
}

}  // namespace

std::string catalog_markdown() {
    std::string out = opening() + port_list();
    for (std::uint32_t g = 0; g < kFeatureGroups; ++g) {
        const auto group = static_cast<FeatureGroup>(g);
        out += "\n## " + std::string(group_name(group)) + "\n\n" + std::string(kGroupTexts[g]) +
               "\n\n";
        out += "| id | name | unit | encoder | meaning | caution |\n|---|---|---|---|---|---|\n";
        for (const FeatureInfo& feature : catalog()) {
            if (feature.group == group) {
                out += feature_row(feature);
            }
        }
    }
    return out + kind_list();
}

}  // namespace weir::dataplane
