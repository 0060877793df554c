// SPDX-License-Identifier: BSD-3-Clause
// Flow-level labels for training, assembled from a labelled corpus of captures.
#pragma once

#include "config/error.h"

#include <cstdint>
#include <string>
#include <vector>

namespace weir::lab {

/// One labelled flow. Addresses and ports are its initiator's (first packet seen) and its responder's; `proto` is the
/// IP protocol. Ports are 0 outside TCP, UDP and SCTP, but for ICMP echo, which has its identifier in both.
struct FlowLabel {
    std::string file;  ///< path under the corpus
    std::uint8_t proto = 0;
    std::string src;
    std::uint16_t sport = 0;
    std::string dst;
    std::uint16_t dport = 0;
    std::string label;
    std::string group;  ///< source; never split between training and test
};

struct LabelOptions {
    std::string corpus;  ///< directory with labels.csv and the captures
    std::string slot;    ///< "anomaly" or "qos"
};

/// How many flows got each class, how many were left out.
struct LabelCounts {
    struct Class {
        std::string label;
        std::uint64_t flows = 0;
        std::uint64_t files = 0;
        std::uint64_t groups = 0;
    };
    std::vector<Class> classes;
    std::uint64_t left_out = 0;
    std::uint64_t unreadable_rows = 0;  ///< of the per-flow tables: their addresses are none
};

struct Labels {
    std::vector<FlowLabel> flows;  ///< by file, then in order of first packet
    LabelCounts counts;
};

/// Lists the flows of every benign and attack capture of the corpus as the gateway would key them and applies the
/// rules of labels_rules.h. Deterministic. Errors name file, line and column. Thread: any; reads files.
[[nodiscard]] Result<Labels> assemble_labels(const LabelOptions& options);

/// Writes "file,proto,src,sport,dst,dport,label,group" rows.
[[nodiscard]] Result<void> write_labels(const Labels& labels, const std::string& path);

}  // namespace weir::lab
