// SPDX-License-Identifier: BSD-3-Clause
// weir features: the catalog, for people and for scripts.
#include "control/app/commands.h"
#include "dataplane/features/catalog.h"

#include <cstdio>
#include <memory>
#include <string>

#include <CLI/CLI.hpp>

namespace weir::app {

void add_features(CLI::App& app, Exit& exit) {
    auto markdown = std::make_shared<bool>(false);
    CLI::App* command = app.add_subcommand("features", "List the features that models may read");
    command->add_flag("--markdown", *markdown, "As the page docs/features.md");
    command->callback([markdown, &exit] {
        if (*markdown) {
            std::fputs(dataplane::catalog_markdown().c_str(), stdout);
        } else {
            for (const dataplane::FeatureInfo& feature : dataplane::catalog()) {
                std::printf(
                    "%3u %-32s %-12s %s\n",
                    feature.id,
                    std::string(feature.name).c_str(),
                    std::string(feature.encoder_text).c_str(),
                    std::string(feature.description).c_str());
            }
        }
        exit = Exit::ok;
    });
}

}  // namespace weir::app
