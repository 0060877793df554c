// SPDX-License-Identifier: BSD-3-Clause
// The command line and what is made from the command table: usage errors, help, the man page, completion.
#include "control/ctl/usage.h"
#include "ctl_fixture.h"

#include <cstdlib>
#include <sstream>

namespace weir::control::test {
namespace {

/// "models push" as two words.
std::vector<std::string> words_of(const ctl::CommandSpec& command) {
    std::vector<std::string> words;
    std::istringstream path{std::string(command.path)};
    for (std::string word; path >> word;) {
        words.push_back(word);
    }
    return words;
}

// ---- the command line ------------------------------------------------------------------------------------------------

struct Usage {
    std::vector<std::string> words;
    const char* expected;
};

class UsageErrors : public testing::TestWithParam<Usage> {};

TEST_P(UsageErrors, AreNamedWithWhatWasMeant) {
    const auto said = weirctl(GetParam().words);
    EXPECT_EQ(said.exit, 2);
    EXPECT_EQ(said.out, "");
    EXPECT_EQ(said.err, std::string("weirctl: ") + GetParam().expected + "\n");

    auto with_json = GetParam().words;
    with_json.insert(with_json.begin(), "--json");
    const auto json = weirctl(with_json);
    EXPECT_EQ(json.exit, 2);
    const auto error = Json::parse(json.out);
    EXPECT_EQ(error["ok"], false);
    EXPECT_EQ(error["error"]["code"], "USAGE");
    EXPECT_EQ(error["error"]["message"], GetParam().expected);
}

INSTANTIATE_TEST_SUITE_P(
    Words,
    UsageErrors,
    testing::Values(
        Usage{
            {},
            "a command is missing; use one of: status, ports, top, tail, flows, explain, block, "
            "allow, unblock, overrides, models, policy, "
            "audit, "
            "whoami, completion, reload"},
        Usage{{"statsu"}, "no command 'statsu'; did you mean 'status'?"},
        Usage{
            {"frobnicate"},
            "no command 'frobnicate'; use one of: status, ports, top, tail, flows, explain, block, "
            "allow, unblock, overrides, models, policy, "
            "audit, whoami, completion, reload"},
        Usage{
            {"models"},
            "models: a command is missing; use one of: list, push, activate, shadow, canary, "
            "withdraw, "
            "trials, rollback, remove"},
        Usage{{"models", "pish"}, "models: no command 'pish'; did you mean 'push'?"},
        Usage{
            {"models", "--slot", "qos", "list"},
            "models: no option '--slot'; use one of: "
            "--socket, --timeout, --target, --cert, --key, --ca, --json, --yes, --help"},
        Usage{{"--sokcet", "x", "status"}, "no option '--sokcet'; did you mean '--socket'?"},
        Usage{{"top", "--onec"}, "top: no option '--onec'; did you mean '--once'?"},
        Usage{
            {"status", "-x"},
            "status: no option '-x'; use one of: --socket, --timeout, --target, --cert, "
            "--key, --ca, --json, --yes, "
            "--help"},
        Usage{{"models", "push"}, "models push: FILE is missing; see weirctl models push --help"},
        Usage{
            {"models", "activate", "qos"},
            "models activate: NAME is missing; see weirctl models activate --help"},
        Usage{
            {"models", "remove", "qos", "m"},
            "models remove: VERSION is missing; see weirctl models remove --help"},
        Usage{
            {"status", "now"}, "status: 'now' is one argument too many; see weirctl status --help"},
        Usage{{"status", "--timeout"}, "status: --timeout needs a value, SECONDS"},
        Usage{{"status", "--timeout", "soon"}, "--timeout: 'soon' is not within 1 to 3600 seconds"},
        Usage{{"status", "--timeout=nan"}, "--timeout: 'nan' is not within 1 to 3600 seconds"},
        Usage{{"status", "--timeout", ""}, "--timeout: '' is not within 1 to 3600 seconds"}));

TEST(Usage, AHostileWordCannotDriveTheTerminal) {
    const std::vector<std::string_view> words{"\x1b[2Jstatus"};
    EXPECT_TRUE(contains(ctl::usage_error(words).value_or(""), "'\\x1b[2Jstatus'"));
}

TEST(Usage, EveryCommandOfTheTableIsAccepted) {
    for (const auto& command : ctl::commands()) {
        auto words = words_of(command);
        for (const auto& option : command.options) {
            words.emplace_back(option.name);
            if (!option.value.empty()) {
                words.emplace_back("--value-that-looks-like-an-option");
            }
        }
        words.insert(words.end(), command.arguments.size(), "x");
        const std::vector<std::string_view> views(words.begin(), words.end());
        EXPECT_EQ(ctl::usage_error(views), std::nullopt) << command.path;
    }
}

TEST(Help, OfEachCommandNamesAllItTakes) {
    for (const auto& command : ctl::commands()) {
        auto words = words_of(command);
        words.emplace_back("--help");
        const auto said = weirctl(words);
        EXPECT_EQ(said.exit, 0) << command.path;
        EXPECT_TRUE(contains(said.out, command.summary)) << said.out;
        for (const auto& option : command.options) {
            EXPECT_TRUE(contains(said.out, option.name)) << said.out;
            EXPECT_TRUE(contains(said.out, option.help)) << said.out;
        }
        for (const auto& argument : command.arguments) {
            EXPECT_TRUE(contains(said.out, argument.name)) << said.out;
            EXPECT_TRUE(contains(said.out, argument.help)) << said.out;
        }
        EXPECT_EQ(said.err, "");
    }
    const auto said = weirctl({"--help"});
    EXPECT_EQ(said.exit, 0);
    for (const auto& option : ctl::global_options()) {
        EXPECT_TRUE(contains(said.out, option.name)) << said.out;
    }
    for (const auto* word :
         {"status",
          "ports",
          "top",
          "tail",
          "flows",
          "models",
          "policy",
          "audit",
          "whoami",
          "reload"}) {
        EXPECT_TRUE(contains(said.out, word)) << said.out;
    }
    EXPECT_TRUE(contains(weirctl({"models", "--help"}).out, "rollback"));
    EXPECT_EQ(weirctl({"--version"}).exit, 0);
}

TEST(ManPage, CommittedPageIsTheGeneratedOne) {
    EXPECT_EQ(read_text(std::string(WEIR_SOURCE_DIR) + "/docs/man/weirctl.1"), ctl::man_page())
        << "run: ./dev docs";
}

TEST(ManPage, HoldsEveryCommandAndOption) {
    const std::string page = ctl::man_page();
    for (const auto& command : ctl::commands()) {
        EXPECT_TRUE(contains(page, ".SS weirctl " + std::string(command.path))) << command.path;
    }
    for (const auto* word : {"\\-\\-socket", "\\-\\-allow\\-older", ".SH EXIT STATUS"}) {
        EXPECT_TRUE(contains(page, word)) << word;
    }
}

TEST(Completion, KnowsEveryCommandAndIsGoodShell) {
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const std::string script = ctl::completion_script(shell);
        for (const auto& command : ctl::commands()) {
            const std::string path(command.path);
            EXPECT_NE(script.find(path.substr(path.rfind(' ') + 1)), std::string::npos) << path;
        }
    }
    EXPECT_EQ(ctl::completion_script("csh"), "");
    // Asked as the shell asks: what may follow "weirctl models can"?
    const std::string file = testing::TempDir() + "weirctl-completion.bash";
    write_text(
        file,
        ctl::completion_script("bash") +
            "COMP_WORDS=(weirctl --socket x models can) COMP_CWORD=4\n_weirctl\n"
            "[ \"${COMPREPLY[*]}\" = canary ] || exit 1\n"
            "COMP_WORDS=(weirctl reload --d) COMP_CWORD=2\n_weirctl\n"
            "[ \"${COMPREPLY[*]}\" = --dry-run ]\n");
    EXPECT_EQ(std::system(("bash -e " + file).c_str()), 0);
}

}  // namespace
}  // namespace weir::control::test
