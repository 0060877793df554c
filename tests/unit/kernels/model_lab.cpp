// SPDX-License-Identifier: BSD-3-Clause
// weirlab as its users run it: keygen, sign, verify, inspect; output, exit codes and messages.
#include "dataplane/features/catalog.h"
#include "kernels/model/build.h"
#include "kernels/model/file.h"
#include "tests/unit/kernels/model_fixtures.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>

#include <sys/wait.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::kernels::test {
namespace {

struct Outcome {
    int exit = -1;
    std::string out;
    std::string err;
};

class Lab : public testing::Test {
  protected:
    void SetUp() override {
        // Set by the build beside the program under test.
        const char* program = std::getenv("WEIRLAB");
        ASSERT_NE(program, nullptr) << "set WEIRLAB to the weirlab program";
        program_ = program;
    }

    // Arguments are for the shell; the test's own, without anything to quote but the temporary folder.
    [[nodiscard]] Outcome run(const std::string& arguments) const {
        Outcome outcome;
        const std::string err = dir_.file("stderr");
        const std::string command =
            "cd " + dir_.path() + " && '" + program_ + "' " + arguments + " 2>" + err;
        FILE* pipe = ::popen(command.c_str(), "r");
        EXPECT_NE(pipe, nullptr);
        char buffer[4096];
        for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
            outcome.out.append(buffer, n);
        }
        const int status = ::pclose(pipe);
        outcome.exit = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
        std::ifstream in(err);
        std::ostringstream text;
        text << in.rdbuf();
        outcome.err = text.str();
        return outcome;
    }

    // A sound, unsigned bundle for the catalog that weirlab was built with.
    void write_bundle(const std::string& name, const std::function<void(Bundle&)>& edit = {}) {
        Bundle bundle = mlp_bundle();
        bundle.catalog_version = dataplane::kCatalogVersion;
        for (std::size_t i = 0; i < bundle.inputs.size(); ++i) {
            const dataplane::FeatureInfo& feature = dataplane::catalog()[i];
            bundle.inputs[i] = {std::string(feature.name), std::string(feature.encoder_text)};
        }
        if (edit) {
            edit(bundle);
        }
        const auto file = serialize_bundle(bundle);
        ASSERT_TRUE(file);
        ASSERT_TRUE(save_bundle_file(dir_.file(name), *file));
    }

    TempDir dir_;
    std::string program_;
};

TEST_F(Lab, KeygenSignVerifyInspect) {
    write_bundle("m.weir");
    Outcome made = run("keygen ops --json");
    ASSERT_EQ(made.exit, 0) << made.err;
    const std::string id = nlohmann::json::parse(made.out)["key_id"];
    EXPECT_EQ(id.size(), 16U);

    EXPECT_EQ(run("verify m.weir --pub ops.pub").exit, 2);
    const Outcome sign = run("sign m.weir --key ops.key --out s.weir");
    EXPECT_EQ(sign.exit, 0) << sign.err;
    EXPECT_EQ(sign.out, "s.weir: signed by key " + id + "\n");

    const Outcome verify = run("verify s.weir --keyring . --slot anomaly --newer-than 6 --json");
    ASSERT_EQ(verify.exit, 0) << verify.err;
    const auto good = nlohmann::json::parse(verify.out);
    EXPECT_EQ(good["ok"], true);
    EXPECT_EQ(good["signer"], id);
    EXPECT_EQ(good["name"], "flows-v1");

    const Outcome inspect = run("inspect s.weir --json --golden --histograms");
    ASSERT_EQ(inspect.exit, 0) << inspect.err;
    const auto json = nlohmann::json::parse(inspect.out);
    EXPECT_EQ(json["signers"], nlohmann::json::array({id}));
    EXPECT_EQ(json["finding"], "");
    EXPECT_EQ(json["digest"], good["digest"]);
    EXPECT_EQ(json["network"]["layers"][1]["out"], 3);
    EXPECT_EQ(json["classes"], (std::vector<std::string>{"benign", "scan", "flood"}));
    EXPECT_EQ(json["created"], "2023-11-14T22:13:20Z");
    EXPECT_EQ(json["inputs"][0]["feature"], std::string(dataplane::catalog()[0].name));
    EXPECT_EQ(json["inputs"][0]["histogram"].size(), 256U);
    EXPECT_EQ(json["golden"].size(), json["golden_vectors"]);

    const Outcome text = run("inspect s.weir");
    EXPECT_EQ(text.exit, 0);
    for (const char* part : {"flows-v1 version 7", "mlp 4-5-3", "sound", id.c_str(), "flood"}) {
        EXPECT_NE(text.out.find(part), std::string::npos) << part << " not in\n" << text.out;
    }
}

TEST_F(Lab, SignUnderAnotherNameAndVersionDropsOldSignatures) {
    write_bundle("m.weir");
    ASSERT_EQ(run("keygen vendor").exit, 0);
    ASSERT_EQ(run("keygen ops").exit, 0);
    ASSERT_EQ(run("sign m.weir --key vendor.key --out v.weir").exit, 0);
    const Outcome sign = run("sign v.weir --key ops.key --name ours --version 12 --out o.weir");
    ASSERT_EQ(sign.exit, 0) << sign.err;

    const auto verify = run("verify o.weir --pub ops.pub --json");
    ASSERT_EQ(verify.exit, 0) << verify.err;
    const auto good = nlohmann::json::parse(verify.out);
    EXPECT_EQ(good["name"], "ours");
    EXPECT_EQ(good["version"], 12);
    EXPECT_EQ(run("verify o.weir --pub vendor.pub").exit, 2) << "signed for other bytes";
    EXPECT_EQ(run("sign v.weir --key ops.key --name 'no good' --out x.weir").exit, 2);
    EXPECT_EQ(run("sign v.weir --key ops.key --version 0 --out x.weir").exit, 2);
    EXPECT_EQ(run("inspect x.weir").exit, 2) << "a refusal writes nothing";
}

// Each family's own part of the line and of the JSON.
TEST_F(Lab, InspectDescribesEveryFamily) {
    struct Family {
        Bundle (*bundle)();
        const char* family;
        const char* text;
        const char* key;
    };
    const Family families[] = {
        {forest_bundle, "forest", "forest, 3 trees, 4 nodes, 7 leaves", "trees"},
        {linear_bundle, "linear", "linear 3-1, 3 weights", "layers"},
        {autoencoder_bundle,
         "autoencoder",
         "autoencoder 4-2-4, 16 weights, anomalous above error 1000000",
         "error_weights"},
        {sequence_bundle,
         "sequence",
         "sequence of 4 packets, convolution 2x3-3, convolution 3x5-2 pool 2, flatten, 4-5-3",
         "convolutions"},
    };
    for (const Family& family : families) {
        write_bundle("m.weir", [&](Bundle& b) {
            const std::vector<BundleInput> inputs = family.bundle().inputs;
            b = family.bundle();
            b.catalog_version = dataplane::kCatalogVersion;
            for (std::size_t i = 0; i < b.inputs.size(); ++i) {
                const dataplane::FeatureInfo& feature = dataplane::catalog()[i];
                b.inputs[i] = {std::string(feature.name), std::string(feature.encoder_text)};
            }
        });
        const Outcome text = run("inspect m.weir");
        EXPECT_EQ(text.exit, 0) << text.err;
        EXPECT_NE(text.out.find(family.text), std::string::npos) << text.out;
        EXPECT_NE(text.out.find("sound"), std::string::npos) << text.out;
        const auto json = nlohmann::json::parse(run("inspect m.weir --json").out);
        EXPECT_EQ(json["network"]["family"], family.family);
        EXPECT_TRUE(json["network"].contains(family.key)) << json["network"];
        EXPECT_FALSE(json["predicted_cycles_per_row"].empty());
    }
}

TEST_F(Lab, KeygenNeverOverwrites) {
    ASSERT_EQ(run("keygen ops").exit, 0);
    const Outcome again = run("keygen ops");
    EXPECT_EQ(again.exit, 2);
    EXPECT_EQ(again.out, "");
    EXPECT_NE(again.err.find("weirlab: ops.key: is there already; fix: "), std::string::npos);
    EXPECT_EQ(run("keygen absent/ops").exit, 1);
}

TEST_F(Lab, OneFlippedByteIsRefusedInOneLine) {
    write_bundle("m.weir");
    ASSERT_EQ(run("keygen ops").exit, 0);
    ASSERT_EQ(run("sign m.weir --key ops.key").exit, 0);
    Bytes file = *load_bundle_file(dir_.file("m.weir"));
    file[file.size() / 2] ^= std::byte{1};
    ASSERT_TRUE(save_bundle_file(dir_.file("m.weir"), file));
    const Outcome verify = run("verify m.weir --pub ops.pub");
    EXPECT_EQ(verify.exit, 2);
    EXPECT_EQ(verify.out, "");
    EXPECT_EQ(verify.err.rfind("weirlab: m.weir: signatures[0].signature: ", 0), 0U) << verify.err;
    EXPECT_EQ(std::count(verify.err.begin(), verify.err.end(), '\n'), 1);
    const Outcome json = run("verify m.weir --pub ops.pub --json");
    EXPECT_EQ(json.exit, 2);
    const auto parsed = nlohmann::json::parse(json.out);
    EXPECT_EQ(parsed["ok"], false);
    EXPECT_EQ(parsed["error"]["field"], "signatures[0].signature");
}

TEST_F(Lab, SignRefusesUnsoundBundlesAndLeavesThemAlone) {
    ASSERT_EQ(run("keygen ops").exit, 0);
    write_bundle("golden.weir", [](Bundle& b) { b.golden[0].raw[0] += 1; });
    write_bundle("feature.weir", [](Bundle& b) { b.inputs[2].feature = "no_such_feature"; });
    for (const auto& [name, field] :
         {std::pair{"golden.weir", "golden[0].raw[0]"},
          std::pair{"feature.weir", "inputs[2].feature"}}) {
        const auto before = load_bundle_file(dir_.file(name));
        const Outcome sign = run(std::string("sign ") + name + " --key ops.key");
        EXPECT_EQ(sign.exit, 2);
        EXPECT_NE(sign.err.find(field), std::string::npos) << sign.err;
        EXPECT_EQ(*load_bundle_file(dir_.file(name)), *before);
        // inspect still shows it, with the finding.
        const Outcome inspect = run(std::string("inspect --json ") + name);
        EXPECT_EQ(inspect.exit, 0);
        const std::string finding = nlohmann::json::parse(inspect.out)["finding"];
        EXPECT_NE(finding.find(field), std::string::npos) << finding;
    }
}

TEST_F(Lab, UsageErrorsAndUnreadableFilesExitTwo) {
    dir_.write("noise.weir", "not a bundle");
    ASSERT_EQ(run("keygen ops").exit, 0);
    for (const char* arguments :
         {"",
          "nonsense",
          "keygen",
          "sign noise.weir",
          "verify noise.weir",
          "verify noise.weir --pub ops.key.absent",
          "verify noise.weir --pub ops.pub",
          "verify noise.weir --pub ops.pub --isa mmx",
          "verify noise.weir --pub ops.pub --max-mb 0",
          "inspect noise.weir",
          "inspect absent.weir",
          "inspect ."}) {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit, 2) << arguments;
        EXPECT_FALSE(outcome.err.empty()) << arguments;
    }
}

TEST_F(Lab, HelpEverywhere) {
    for (const char* arguments :
         {"--help", "keygen --help", "sign --help", "verify --help", "inspect --help"}) {
        const Outcome outcome = run(arguments);
        EXPECT_EQ(outcome.exit, 0) << arguments;
        EXPECT_NE(outcome.out.find("--help"), std::string::npos) << arguments;
    }
}

TEST_F(Lab, OutputThatCannotBeWrittenIsAFailure) {
    write_bundle("m.weir");
    EXPECT_EQ(run("inspect m.weir >/dev/full").exit, 1);
}

}  // namespace
}  // namespace weir::kernels::test
