// SPDX-License-Identifier: BSD-3-Clause
// weirctl, called in this process, and a gateway to talk to.
#pragma once

#include "config/load.h"
#include "control/ctl/commands.h"
#include "control_fixture.h"

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

namespace weir::control::test {

using Json = nlohmann::json;

struct Said {
    int exit = -1;
    std::string out;
    std::string err;
};

inline Said weirctl(std::vector<std::string> words) {
    std::vector<const char*> argv{"weirctl"};
    for (const auto& word : words) {
        argv.push_back(word.c_str());
    }
    testing::internal::CaptureStdout();
    testing::internal::CaptureStderr();
    Said said;
    said.exit = static_cast<int>(ctl::run_weirctl(static_cast<int>(argv.size()), argv.data()));
    said.out = testing::internal::GetCapturedStdout();
    said.err = testing::internal::GetCapturedStderr();
    return said;
}

inline bool contains(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

class CtlTest : public ControlFixture {
  protected:
    void SetUp() override {
        // The gateway's log, which would be mixed into what weirctl prints: no sinks.
        spdlog::set_default_logger(std::make_shared<spdlog::logger>("quiet"));
        config_ = dir_.config();
        config_.metrics.listen.clear();
        write_config();
        config_ = *config::load_file(config_.file);  // so that a reload finds nothing new
        start();
        write_bytes(bundle_, make_bundle({.version = 2}, operator_key()));
    }
    Said run(std::vector<std::string> words) const {
        words.insert(words.begin(), {"--socket", config_.control.socket});
        return weirctl(std::move(words));
    }
    /// The JSON of a call that succeeds.
    Json json(std::vector<std::string> words) const {
        words.emplace_back("--json");
        const auto said = run(std::move(words));
        EXPECT_EQ(said.exit, 0) << said.err;
        return Json::parse(said.out, nullptr, false);
    }

    std::string bundle_ = dir_ / "next.weir";
};

}  // namespace weir::control::test
