// SPDX-License-Identifier: BSD-3-Clause
// weirlab inspect: what a bundle says of itself, trusted or not.
#include "control/lab/commands.h"
#include "dataplane/features/catalog.h"
#include "kernels/model/file.h"
#include "kernels/model/verify.h"

#include <cmath>
#include <ctime>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

namespace weir::lab {
namespace {

using Json = nlohmann::ordered_json;
using kernels::Bundle;

struct Options {
    std::string bundle;
    bool histograms = false;
    bool golden = false;
    bool json = false;
};

std::string utc(std::int64_t unix_s) {
    const auto time = static_cast<std::time_t>(unix_s);
    std::tm parts{};
    std::ostringstream out;
    if (gmtime_r(&time, &parts) == nullptr) {
        return std::to_string(unix_s) + " s";
    }
    out << std::put_time(&parts, "%Y-%m-%dT%H:%M:%SZ");
    return out.str();
}

Json dense(const std::vector<kernels::MlpLayer>& layers) {
    Json out = Json::array();
    for (const kernels::MlpLayer& layer : layers) {
        out.push_back({{"in", layer.in}, {"out", layer.out}, {"shift", layer.shift}});
    }
    return out;
}

template <typename Layer>
std::size_t weights(const std::vector<Layer>& layers) {
    std::size_t sum = 0;
    for (const Layer& layer : layers) {
        sum += layer.weights.size();
    }
    return sum;
}

Json describe(const kernels::MlpSpec& spec) {
    return {{"family", "mlp"}, {"layers", dense(spec.layers)}, {"weights", weights(spec.layers)}};
}

Json describe(const kernels::LinearSpec& spec) {
    return {
        {"family", "linear"},
        {"layers", dense({spec.layer})},
        {"weights", spec.layer.weights.size()}};
}

Json describe(const kernels::AutoencoderSpec& spec) {
    return {
        {"family", "autoencoder"},
        {"layers", dense(spec.layers)},
        {"weights", weights(spec.layers)},
        {"error_weights", spec.weights},
        {"error_shift", spec.shift},
        {"offset", spec.offset}};
}

Json describe(const kernels::SequenceSpec& spec) {
    Json convolutions = Json::array();
    for (const kernels::Convolution& layer : spec.convolutions) {
        convolutions.push_back(
            {{"in", layer.in},
             {"out", layer.out},
             {"kernel", layer.kernel},
             {"stride", layer.stride},
             {"padding", layer.padding},
             {"pool", layer.pool},
             {"shift", layer.shift}});
    }
    constexpr const char* kPoolings[] = {"flatten", "max", "average"};
    return {
        {"family", "sequence"},
        {"steps", spec.steps},
        {"convolutions", convolutions},
        {"pooling", kPoolings[static_cast<std::size_t>(spec.pooling)]},
        {"layers", dense(spec.dense)},
        {"weights", weights(spec.convolutions) + weights(spec.dense)}};
}

Json describe(const kernels::OnednnSpec& spec) {
    return std::visit(
        [](const auto& net) {
            Json layers = Json::array();
            for (const auto& layer : net.layers) {
                layers.push_back({{"in", layer.in}, {"out", layer.out}});
            }
            constexpr bool kInt8 = std::is_same_v<std::decay_t<decltype(net)>, kernels::OnednnInt8>;
            return Json{
                {"family", "onednn"},
                {"arithmetic", kInt8 ? "int8" : "f32"},
                {"layers", layers},
                {"weights", weights(net.layers)}};
        },
        spec.network);
}

Json describe(const kernels::ForestSpec& forest) {
    Json out;
    std::size_t nodes = 0;
    std::size_t leaves = 0;
    for (const kernels::ForestTree& tree : forest.trees) {
        nodes += tree.nodes.size();
        leaves += tree.leaves.size();
    }
    out["family"] = "forest";
    out["trees"] = forest.trees.size();
    out["nodes"] = nodes;
    out["leaves"] = leaves;
    out["base"] = forest.base;
    return out;
}

// Columns as: the code's value, (scale · code + offset) >> 8; the quotient's code, zero + quotient · gain.
Json describe(const kernels::NormalizedSpec& spec) {
    constexpr const char* kNorms[] = {"l1", "l2", "max"};
    Json columns = Json::array();
    for (const kernels::NormColumn& column : spec.columns) {
        columns.push_back(
            {{"scale", column.scale},
             {"offset", column.offset},
             {"gain", column.gain_q8 / 256.0},
             {"zero", column.zero}});
    }
    return {
        {"family", "normalized"},
        {"norm", kNorms[static_cast<std::size_t>(spec.norm)]},
        {"columns", columns},
        {"network", std::visit([](const auto& inner) { return describe(inner); }, spec.network)}};
}

Json network(const kernels::Network& network) {
    return std::visit([](const auto& spec) { return describe(spec); }, network);
}

Json head(const kernels::HeadSpec& spec) {
    Json out;
    out["kind"] = spec.kind == kernels::HeadKind::sigmoid ? "sigmoid" : "softmax";
    out["scale_q16"] = spec.scale_q16;
    out["calibration"] = Json::array();
    for (const kernels::CalibrationPoint& point : spec.calibration) {
        out["calibration"].push_back({{"in", point.in}, {"out", point.out}});
    }
    return out;
}

Json inputs(const Bundle& bundle, bool histograms) {
    Json out = Json::array();
    for (std::size_t i = 0; i < bundle.inputs.size(); ++i) {
        Json input{{"feature", bundle.inputs[i].feature}, {"encoder", bundle.inputs[i].encoder}};
        if (histograms && i < bundle.histograms.size()) {
            input["histogram"] = bundle.histograms[i];
        }
        out.push_back(std::move(input));
    }
    return out;
}

// Cycles a row on each variant this machine has; only for shapes that the checks passed.
Json cost(const Bundle& bundle) {
    Json out = Json::object();
    for (const kernels::Isa isa : kernels::supported_isas()) {
        out[std::string(kernels::isa_name(isa))] =
            kernels::predicted_cycles_per_row(bundle.network, isa);
    }
    return out;
}

// What a gateway would say, signature apart.
std::string finding(const Bundle& bundle, const std::string& where) {
    auto classifier = kernels::check_bundle(bundle, where);
    if (!classifier) {
        return classifier.error().line();
    }
    const auto ids = kernels::match_catalog(bundle, where, dataplane::catalog_view());
    return ids ? std::string() : ids.error().line();
}

Json to_json(const Options& options, const Bundle& b) {
    Json out;
    out["name"] = b.name;
    out["slot"] = b.slot;
    out["version"] = b.version;
    out["created"] = utc(b.created_unix);
    out["created_unix"] = b.created_unix;
    out["data_digest"] = b.data_digest;
    out["description"] = b.description;
    out["catalog_version"] = b.catalog_version;
    out["classes"] = b.classes;
    out["thresholds"] = b.thresholds;
    out["network"] = network(b.network);
    out["head"] = head(b.head);
    out["inputs"] = inputs(b, options.histograms);
    out["histograms"] = b.histograms.size();
    out["golden_vectors"] = b.golden.size();
    if (options.golden) {
        out["golden"] = Json::array();
        for (const kernels::GoldenVector& g : b.golden) {
            out["golden"].push_back({{"codes", g.codes}, {"raw", g.raw}});
        }
    }
    return out;
}

std::string network_line(const Json& network) {
    std::ostringstream out;
    out << network["family"].get<std::string>();
    if (network.contains("convolutions")) {
        out << " of " << network["steps"] << " packets,";
        for (const Json& layer : network["convolutions"]) {
            out << " convolution " << layer["in"] << "x" << layer["kernel"] << "-" << layer["out"];
            if (layer["stride"] != 1) {
                out << " stride " << layer["stride"];
            }
            if (layer["pool"] != 1) {
                out << " pool " << layer["pool"];
            }
            out << ",";
        }
        out << " " << network["pooling"].get<std::string>() << ",";
    }
    if (network.contains("norm")) {
        out << " by " << network["norm"].get<std::string>() << ", then "
            << network_line(network["network"]);
    } else if (network.contains("layers")) {
        const char* separator = " ";
        for (const Json& layer : network["layers"]) {
            out << separator << layer["in"];
            separator = "-";
        }
        if (!network["layers"].empty()) {
            out << separator << network["layers"].back()["out"];
        }
        out << ", " << network["weights"] << " weights";
        if (network.contains("offset")) {
            out << ", anomalous above error " << network["offset"];
        }
    } else {
        out << ", " << network["trees"] << " trees, " << network["nodes"] << " nodes, "
            << network["leaves"] << " leaves";
    }
    return out.str();
}

void print_lists(const Options& options, const Bundle& b) {
    std::cout << "classes\n";
    for (std::size_t i = 0; i < b.classes.size(); ++i) {
        std::cout << "  " << b.classes[i];
        if (i < b.thresholds.size()) {
            std::cout << "  from confidence " << b.thresholds[i];
        }
        std::cout << '\n';
    }
    std::cout << "inputs\n";
    for (std::size_t i = 0; i < b.inputs.size(); ++i) {
        std::cout << "  " << std::setw(3) << i << "  " << b.inputs[i].feature << "  "
                  << b.inputs[i].encoder << '\n';
        if (options.histograms && i < b.histograms.size()) {
            std::cout << "       " << Json(b.histograms[i]).dump() << '\n';
        }
    }
    if (options.golden) {
        std::cout << "golden vectors\n";
        for (const kernels::GoldenVector& g : b.golden) {
            std::cout << "  " << Json(g.codes).dump() << " -> " << Json(g.raw).dump() << '\n';
        }
    }
}

void print_text(const Options& options, const Bundle& b, const Json& json) {
    const auto line = [](const char* label, const auto& value) {
        std::cout << std::left << std::setw(14) << label << value << '\n';
    };
    line("file", options.bundle);
    line("digest", json["digest"].get<std::string>());
    line("model", b.name + " version " + std::to_string(b.version));
    line("slot", b.slot);
    line("created", utc(b.created_unix));
    line("data", b.data_digest.empty() ? std::string("not stated") : b.data_digest);
    line("description", b.description);
    line("catalog", b.catalog_version);
    line("network", network_line(json["network"]));
    line("head", json["head"]["kind"].get<std::string>());
    std::string signers;
    for (const auto& id : json["signers"]) {
        signers += (signers.empty() ? "" : ", ") + id.get<std::string>();
    }
    line("signed by", signers.empty() ? "nobody" : signers + " (not checked here)");
    line("histograms", b.histograms.size());
    line("golden", b.golden.size());
    for (const auto& [isa, cycles] : json["predicted_cycles_per_row"].items()) {
        const auto rounded = static_cast<std::int64_t>(std::llround(cycles.get<double>()));
        line("cycles a row", "about " + std::to_string(rounded) + " on " + isa);
    }
    const std::string found = json["finding"].get<std::string>();
    line("contents", found.empty() ? "sound" : found);
    std::cout << std::right;
    print_lists(options, b);
}

Exit inspect(const Options& options) {
    const auto file = kernels::load_bundle_file(options.bundle);
    if (!file) {
        return report_json(file.error(), options.json);
    }
    const auto bundle = kernels::parse_bundle(*file, options.bundle);
    if (!bundle) {
        return report_json(bundle.error(), options.json);
    }
    const auto signers = kernels::bundle_signers(*file, options.bundle);
    if (!signers) {
        return report_json(signers.error(), options.json);
    }
    Json json = to_json(options, *bundle);
    json["digest"] = kernels::bundle_digest(*file);
    json["signers"] = *signers;
    json["finding"] = finding(*bundle, options.bundle);
    json["predicted_cycles_per_row"] = json["finding"] == "" ? cost(*bundle) : Json(Json::object());
    if (options.json) {
        std::cout << json.dump(2, ' ', false, Json::error_handler_t::replace) << '\n';
    } else {
        print_text(options, *bundle, json);
    }
    return Exit::ok;
}

}  // namespace

void add_inspect(CLI::App& app, Exit& exit) {
    auto options = std::make_shared<Options>();
    CLI::App* cmd = app.add_subcommand(
        "inspect", "Prints what a bundle says of itself; checks no signature (see verify)");
    cmd->add_option("BUNDLE", options->bundle, "Bundle file")->required();
    cmd->add_flag("--histograms", options->histograms, "Print the reference histograms too");
    cmd->add_flag("--golden", options->golden, "Print the golden vectors too");
    cmd->add_flag("--json", options->json, "Print JSON");
    cmd->callback([options, &exit] { exit = inspect(*options); });
}

}  // namespace weir::lab
