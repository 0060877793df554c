// SPDX-License-Identifier: BSD-3-Clause
#include "control/lab/labels.h"

#include "control/lab/labels_csv.h"
#include "control/lab/labels_flows.h"
#include "control/lab/labels_rules.h"
#include "control/lab/labels_tables.h"

#include <algorithm>
#include <fstream>
#include <set>

namespace weir::lab {
namespace {

using AttackPackets = std::optional<std::set<std::uint32_t>>;

std::string_view label_of(
    const Corpus& corpus,
    const FileRow& file,
    const CaptureFlow& flow,
    const AttackPackets& attacks,
    bool anomaly) {
    FlowFacts facts{.family = file.family, .file_label = file.label};
    facts.proto = flow.proto;
    facts.sport = flow.a.port;
    facts.dport = flow.b.port;
    if (const DpiRow* row = corpus.find(file.file, tuple_key(flow.a, flow.b, flow.proto))) {
        facts.dpi_proto = row->proto;
        facts.reviewed = row->reviewed;
        facts.service_class = corpus.service_class(*row);
    }
    if (attacks) {
        facts.has_packet_labels = true;
        facts.attack_packet =
            std::any_of(flow.packets.begin(), flow.packets.end(), [&](std::uint32_t n) {
                return attacks->contains(n);
            });
    }
    return anomaly ? anomaly_label(facts) : qos_label(facts);
}

Result<void> label_file(const Corpus& corpus, const FileRow& file, bool anomaly, Labels& labels) {
    const auto flows = list_flows(corpus.path(file));
    const auto attacks = corpus.packet_labels(file);
    if (!flows || !attacks) {
        return tl::unexpected(!flows ? flows.error() : attacks.error());
    }
    const std::string group = source_group(file.repository, file.file);
    for (const auto& flow : *flows) {
        const auto label = label_of(corpus, file, flow, *attacks, anomaly);
        if (label.empty()) {
            ++labels.counts.left_out;
            continue;
        }
        labels.flows.push_back(
            {file.file,
             flow.proto,
             flow.a.text(),
             flow.a.port,
             flow.b.text(),
             flow.b.port,
             std::string(label),
             group});
    }
    return {};
}

void count_classes(std::string_view slot, Labels& labels) {
    for (const auto name : slot_classes(slot)) {
        LabelCounts::Class cls{std::string(name)};
        std::set<std::string_view> files;
        std::set<std::string_view> groups;
        for (const auto& flow : labels.flows) {
            if (flow.label == name) {
                ++cls.flows;
                files.insert(flow.file);
                groups.insert(flow.group);
            }
        }
        cls.files = files.size();
        cls.groups = groups.size();
        labels.counts.classes.push_back(std::move(cls));
    }
}

}  // namespace

Result<Labels> assemble_labels(const LabelOptions& options) {
    if (slot_classes(options.slot).empty()) {
        return fail(
            "labels",
            "slot",
            "there are no rules for " + in_quotes(options.slot),
            "use anomaly or qos");
    }
    const auto corpus = Corpus::read(options.corpus);
    if (!corpus) {
        return tl::unexpected(corpus.error());
    }
    Labels labels;
    for (const auto& file : corpus->files()) {
        if (const auto done = label_file(*corpus, file, options.slot == "anomaly", labels); !done) {
            return tl::unexpected(done.error());
        }
    }
    labels.counts.unreadable_rows = corpus->unreadable_rows();
    count_classes(options.slot, labels);
    return labels;
}

Result<void> write_labels(const Labels& labels, const std::string& path) {
    std::ofstream out(path);
    out << "file,proto,src,sport,dst,dport,label,group\n";
    for (const auto& f : labels.flows) {
        out << csv_field(f.file) << ',' << unsigned{f.proto} << ',' << f.src << ',' << f.sport
            << ',' << f.dst << ',' << f.dport << ',' << f.label << ',' << csv_field(f.group)
            << '\n';
    }
    out.flush();
    if (!out) {
        return fail(
            path, "", "cannot be written", "check the directory, its rights and free space");
    }
    return {};
}

}  // namespace weir::lab
