// SPDX-License-Identifier: BSD-3-Clause
// weirlab labels: flow labels for training, from a labelled corpus.
#include "control/lab/commands.h"
#include "control/lab/labels.h"

#include <iomanip>
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

struct Options {
    LabelOptions labels;
    std::string out;
    bool json = false;
};

void print(const LabelCounts& counts) {
    std::cout << std::left << std::setw(26) << "class" << std::right << std::setw(9) << "flows"
              << std::setw(9) << "files" << std::setw(9) << "sources" << '\n';
    for (const auto& cls : counts.classes) {
        std::cout << std::left << std::setw(26) << cls.label << std::right << std::setw(9)
                  << cls.flows << std::setw(9) << cls.files << std::setw(9) << cls.groups << '\n';
    }
    std::cout << std::left << std::setw(26) << "(left out)" << std::right << std::setw(9)
              << counts.left_out << '\n';
    if (counts.unreadable_rows > 0) {
        std::cout << counts.unreadable_rows
                  << " rows of the per-flow tables were passed over: no address\n";
    }
}

void print_json(const LabelCounts& counts) {
    nlohmann::ordered_json out{
        {"classes", nlohmann::ordered_json::array()},
        {"left_out", counts.left_out},
        {"unreadable_rows", counts.unreadable_rows}};
    for (const auto& cls : counts.classes) {
        out["classes"].push_back(
            {{"class", cls.label},
             {"flows", cls.flows},
             {"files", cls.files},
             {"sources", cls.groups}});
    }
    std::cout << out.dump(2) << '\n';
}

Exit labels(const Options& options) {
    const auto labels = assemble_labels(options.labels);
    if (!labels) {
        return report_json(labels.error(), options.json);
    }
    if (const auto written = write_labels(*labels, options.out); !written) {
        return report_json(written.error(), options.json, Exit::failed);
    }
    options.json ? print_json(labels->counts) : print(labels->counts);
    return Exit::ok;
}

}  // namespace

void add_labels(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd =
        app.add_subcommand("labels", "Names the class of each flow of a labelled corpus");
    cmd->add_option(
           "--corpus", options->labels.corpus, "Directory with labels.csv and the captures")
        ->envname("WEIR_CORPUS")
        ->required();
    cmd->add_option("--slot", options->labels.slot, "anomaly or qos")->required();
    cmd->add_option("--out", options->out, "CSV file to write")->required();
    cmd->add_flag("--json", options->json, "Print the counts as JSON");
    cmd->callback([options, &exit] { exit = labels(*options); });
}

}  // namespace weir::lab
