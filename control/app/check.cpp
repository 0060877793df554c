// SPDX-License-Identifier: BSD-3-Clause
// weir check: is this configuration good, and what would it do?
#include "config/load.h"
#include "control/app/commands.h"
#include "control/app/models.h"
#include "dataplane/rule_classes.h"

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace weir::app {

namespace {

const char* action_name(config::ActionKind kind) {
    switch (kind) {
        case config::ActionKind::mark:
            return "mark";
        case config::ActionKind::drop:
            return "drop";
        case config::ActionKind::pass:
            break;
    }
    return "pass";
}

void explain(
    const config::Config& config,
    const std::vector<std::shared_ptr<const dataplane::SlotModel>>& models) {
    for (const config::Pair& pair : config.pairs) {
        std::printf(
            "inline  %s <-> %s\n",
            config.ports[pair.a].name.c_str(),
            config.ports[pair.b].name.c_str());
    }
    for (const std::uint32_t tap : config.taps) {
        std::printf("tap     %s\n", config.ports[tap].name.c_str());
    }
    for (const config::ShapedPort& shaped : config.shaping.ports) {
        std::printf("shaped  %s to %u kb/s:", shaped.port.c_str(), shaped.rate_kbps);
        for (const config::ShapedQueue& queue : config.shaping.queues) {
            const bool first = &queue == config.shaping.queues.data();
            std::printf("%s %s", first ? "" : ",", queue.name.c_str());
            if (queue.weight != 0) {
                std::printf(" (weight %u)", queue.weight);
            } else {
                std::printf(" (strict, at most %.0f %%)", queue.max_share * 100);
            }
        }
        std::printf("; %zu subscribers\n", config.shaping.subscribers.size());
    }
    for (std::size_t s = 0; s < config.slots.size(); ++s) {
        const config::Slot& slot = config.slots[s];
        const auto& model = models[s];
        std::printf(
            "slot    %s: %s\n",
            slot.name.c_str(),
            model == nullptr ? "no model"
                             : (model->name + " v" + std::to_string(model->version)).c_str());
        for (const auto& [name, rule] : slot.rules) {
            const std::string dscp = rule.action == config::ActionKind::mark
                                         ? " " + config::dscp_name(rule.dscp)
                                         : std::string();
            std::printf(
                "        %-24s %s%s if confidence >= %.2f\n",
                name.c_str(),
                action_name(rule.action),
                dscp.c_str(),
                rule.min_confidence);
        }
    }
}

[[nodiscard]] Exit run_check(const std::string& path, bool quiet) {
    const auto config = config::load_file(path);
    if (!config) {
        return report(config.error());
    }
    const auto models = load_models(*config, {}, {}, {});
    if (!models) {
        return report(models.error());
    }
    if (!quiet) {
        explain(*config, *models);
    }
    std::vector<std::vector<std::string>> classes;
    for (const auto& model : *models) {
        classes.push_back(dataplane::slot_classes(model.get(), {}));
    }
    for (const std::string& line : dataplane::rules_without_class(*config, classes)) {
        (void)std::fprintf(stderr, "warning: %s\n", line.c_str());
    }
    std::printf("%s: ok\n", path.c_str());
    return Exit::ok;
}

}  // namespace

void add_check(CLI::App& app, Exit& exit) {
    auto path = std::make_shared<std::string>("/etc/weir/weir.yaml");
    auto quiet = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand(
        "check", "Validate a configuration and its models, and say what it does");
    command->add_option("-c,--config", *path, "The file to check")->capture_default_str();
    command->add_flag("-q,--quiet", *quiet, "Print the result only");
    command->callback([path, quiet, &exit] { exit = run_check(*path, *quiet); });
}

}  // namespace weir::app
