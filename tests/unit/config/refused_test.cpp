// SPDX-License-Identifier: BSD-3-Clause
// A table of bad files: where the finding points, and what the fix says.
#include "config/load.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace weir::config {
namespace {

struct Case {
    const char* name;
    std::string text;
    unsigned line;
    const char* field;
    const char* what;
    const char* fix;
};

void PrintTo(const Case& one, std::ostream* out) {
    *out << one.name;
}

// Four good lines, so that what a case adds starts on line 5.
const std::string kGood =
    "ports:\n"
    "  - {name: lan, device: net_null0}\n"
    "  - {name: wan, device: net_null1}\n"
    "pairs: [[lan, wan]]\n";

const std::string kThird = "  - {name: mon, device: net_null2}\n";

std::string ports_of(const std::string& list, const std::string& rest = {}) {
    return "ports:\n" + list + rest;
}

std::vector<Case> shape_cases() {
    return {
        {"RootIsText", "weir", 1, "", "must be a map, found 'weir'", "key: value"},
        {"RootIsAList", "- a\n", 1, "", "must be a map, found a list", "key: value"},
        {"UnknownKey",
         kGood + "prots: []\n",
         5,
         "prots",
         "unknown key 'prots'",
         "did you mean 'ports'?"},
        {"UnknownKeyBelow",
         kGood + "eal:\n  hugepage: off\n",
         6,
         "eal.hugepage",
         "unknown key",
         "'hugepages'"},
        {"KeyOfAnotherSection",
         kGood + "burst: 3\n",
         5,
         "burst",
         "unknown key",
         "it belongs at workers.burst"},
        {"UnknownKeyFarFromAll",
         kGood + "log: {zzzzz: 1}\n",
         5,
         "log.zzzzz",
         "unknown key",
         "keys here: level"},
        {"UnknownKeyInAPort",
         ports_of("  - {name: a, device: net_null0, mut: 1500}\n", "taps: [a]\n"),
         2,
         "ports[0].mut",
         "unknown key",
         "did you mean 'mtu'?"},
        {"UnknownKeyInARule",
         kGood + "slots: {qos: {rules: {oam: {dcsp: CS2}}}}\n",
         5,
         "slots.qos.rules.oam.dcsp",
         "unknown key",
         "did you mean 'dscp'?"},
        {"MergeKey", kGood + "<<: {}\n", 5, "<<", "unknown key", "keys here"},
        {"KeyTwice",
         kGood + "log: {level: info}\nlog: {level: debug}\n",
         6,
         "log",
         "given twice, first on line 5",
         "keep one"},
        {"KeyTwiceBelow",
         kGood + "workers:\n  burst: 1\n  lcores: [1]\n  burst: 2\n",
         8,
         "workers.burst",
         "given twice, first on line 6",
         "keep one"},
        {"KeyTwiceInAListItem",
         ports_of("  - {name: a, name: a, device: net_null0}\n", "taps: [a]\n"),
         2,
         "ports[0].name",
         "given twice",
         "keep one"},
        {"KeyTwiceUnderAnUnknownKey",
         kGood + "odd: {a: 1, a: 2}\n",
         5,
         "odd.a",
         "given twice",
         "keep one"},
        {"MapWhereAListBelongs",
         kGood + "taps: {lan: 1}\n",
         5,
         "taps",
         "must be a list, found a map",
         "[ ... ]"},
        {"ListWhereAMapBelongs",
         kGood + "workers: [1]\n",
         5,
         "workers",
         "must be a map, found a list",
         "key: value"},
        {"KeyIsAList", "[a]: 1\n", 1, "", "a key is a list or a map", "plain words"},
        {"KeyIsMissing", kGood + ": 3\n", 5, "", "a key is missing", "key: value"},
        {"Syntax",
         kGood + "log: {level: info\n",
         6,
         "",
         "YAML: end of map flow not found",
         "every [, {"},
        {"Tab", kGood + "log:\n\tlevel: info\n", 6, "", "YAML:", ""},
        {"OpenQuote", kGood + "log: {level: \"info}\n", 6, "", "YAML:", "quote"},
        {"Indentation", kGood + "log:\n  level: info\n a: 1\n", 7, "", "YAML:", "indentation"},
    };
}

std::vector<Case> value_cases() {
    return {
        {"NumberIsAWord",
         kGood + "workers:\n  burst: many\n",
         6,
         "workers.burst",
         "must be a whole number, found 'many'",
         "1 to 64"},
        {"NumberTooLarge",
         kGood + "workers: {burst: 65}\n",
         5,
         "workers.burst",
         "65 is out of range",
         "use 1 to 64"},
        {"NumberTooSmall",
         kGood + "workers: {burst: 0}\n",
         5,
         "workers.burst",
         "0 is out of range",
         "use 1 to 64"},
        {"NumberBeyond64Bits",
         kGood + "eal: {memory_mb: 99999999999999999999999}\n",
         5,
         "eal.memory_mb",
         "out of range",
         "64 to 1048576"},
        {"NumberNegative",
         kGood + "workers: {burst: -1}\n",
         5,
         "workers.burst",
         "found '-1'",
         "1 to 64"},
        {"NumberHex",
         kGood + "workers: {burst: 0x10}\n",
         5,
         "workers.burst",
         "found '0x10'",
         "decimal"},
        {"NumberFraction",
         kGood + "workers: {burst: 1.5}\n",
         5,
         "workers.burst",
         "found '1.5'",
         "decimal"},
        {"NumberInQuotes",
         kGood + "workers: {burst: \"32\"}\n",
         5,
         "workers.burst",
         "found the text '32'",
         "remove the quotes"},
        {"NumberIsNothing",
         kGood + "workers: {burst: }\n",
         5,
         "workers.burst",
         "found nothing",
         "1 to 64"},
        {"NumberIsAList",
         kGood + "workers: {burst: [1]}\n",
         5,
         "workers.burst",
         "found a list",
         "1 to 64"},
        {"FlagIsYes",
         ports_of("  - {name: a, device: net_null0, promiscuous: yes}\n", "taps: [a]\n"),
         2,
         "ports[0].promiscuous",
         "must be true or false, found 'yes'",
         "write true"},
        {"FlagIsOff",
         ports_of("  - {name: a, device: net_null0, promiscuous: Off}\n", "taps: [a]\n"),
         2,
         "ports[0].promiscuous",
         "found 'Off'",
         "write false"},
        {"FlagInQuotes",
         ports_of("  - {name: a, device: net_null0, promiscuous: \"true\"}\n", "taps: [a]\n"),
         2,
         "ports[0].promiscuous",
         "found the text 'true'",
         "write true"},
        {"Choice",
         kGood + "eal: {hugepages: requier}\n",
         5,
         "eal.hugepages",
         "'requier'",
         "did you mean 'require'?"},
        {"ChoiceFarFromAll",
         kGood + "fail: {truncated: explode}\n",
         5,
         "fail.truncated",
         "'explode'",
         "use one of: pass, drop"},
        {"ChoiceIsAList",
         kGood + "fail: {malformed: [drop]}\n",
         5,
         "fail.malformed",
         "found a list",
         "pass, drop"},
        {"LogLevel",
         kGood + "log: {level: wran}\n",
         5,
         "log.level",
         "'wran'",
         "did you mean 'warn'?"},
        {"Mtu",
         ports_of("  - {name: a, device: net_null0, mtu: 67}\n", "taps: [a]\n"),
         2,
         "ports[0].mtu",
         "67 is out of range",
         "68 to 16384"},
        {"Descriptors",
         ports_of("  - {name: a, device: net_null0, rx_descriptors: 70000}\n", "taps: [a]\n"),
         2,
         "ports[0].rx_descriptors",
         "out of range",
         "64 to 32768"},
        {"FilePathEmpty",
         kGood + "control: {socket: \"\"}\n",
         5,
         "control.socket",
         "an empty path",
         "remove the key"},
        {"SocketPathTooLong",
         kGood + "control: {socket: /" + std::string(107, 's') + "}\n",
         5,
         "control.socket",
         "108 characters",
         "at most 107"},
        {"ListenWithoutPort",
         kGood + "metrics: {listen: 127.0.0.1}\n",
         5,
         "metrics.listen",
         "no port",
         "127.0.0.1:9464"},
        {"ListenOnAName",
         kGood + "metrics: {listen: \"localhost:9464\"}\n",
         5,
         "metrics.listen",
         "'localhost' is not an IP address",
         "127.0.0.1:9464"},
        {"FilePrefix",
         kGood + "eal: {file_prefix: \"../x\"}\n",
         5,
         "eal.file_prefix",
         "is not a prefix",
         "a-z"},
        {"ExtraThatWeirSets",
         kGood + "eal:\n  extra:\n    - --legacy-mem\n    - --lcores=1\n",
         8,
         "eal.extra[1]",
         "Weir sets '--lcores' itself",
         "workers.lcores"},
        {"ExtraShortOption",
         kGood + "eal: {extra: [-l1]}\n",
         5,
         "eal.extra[0]",
         "'-l' itself",
         "workers.lcores"},
    };
}

std::vector<Case> reference_cases() {
    return {
        {"NoPorts", "log: {level: info}\n", 0, "ports", "missing", "add 'ports:'"},
        {"PortsEmpty", "ports: []\n", 1, "ports", "no port", "device"},
        {"PortWithoutDevice",
         ports_of("  - {name: a}\n", "taps: [a]\n"),
         2,
         "ports[0].device",
         "missing",
         "add 'device:'"},
        {"PortWithoutName",
         ports_of("  - {device: net_null0}\n"),
         2,
         "ports[0].name",
         "missing",
         "add 'name:'"},
        {"PortName",
         ports_of("  - {name: LAN, device: net_null0}\n", "taps: [LAN]\n"),
         2,
         "ports[0].name",
         "'LAN' is not a port name",
         "a-z"},
        {"PortNameTwice",
         ports_of(
             "  - {name: a, device: net_null0}\n  - name: a\n    device: net_null1\n",
             "taps: [a]\n"),
         3,
         "ports[1].name",
         "is also ports[0].name (line 2)",
         "a name of its own"},
        {"DeviceTwice",
         ports_of(
             "  - {name: a, device: net_null0}\n  - {name: b, device: net_null0}\n",
             "pairs: [[a, b]]\n"),
         3,
         "ports[1].device",
         "'net_null0' is also ports[0].device (line 2)",
         "use a device once"},
        {"PciTwiceInTwoForms",
         ports_of(
             "  - {name: a, device: \"0000:0a:00.0\"}\n  - {name: b, device: \"0A:00.0\"}\n",
             "pairs: [[a, b]]\n"),
         3,
         "ports[1].device",
         "is also ports[0].device",
         "use a device once"},
        {"InterfaceTwice",
         ports_of(
             "  - {name: a, device: \"net_af_packet0,iface=eth0\"}\n"
             "  - {name: b, device: \"net_af_packet1,iface=eth0\"}\n",
             "pairs: [[a, b]]\n"),
         3,
         "ports[1].device",
         "the interface 'iface=eth0' is also",
         "open an interface once"},
        {"DeviceIsAnInterface",
         ports_of("  - {name: a, device: eth0}\n", "taps: [a]\n"),
         2,
         "ports[0].device",
         "not a DPDK device",
         "net_af_packet0,iface=eth0"},
        {"DeviceDriver",
         ports_of("  - {name: a, device: net_nul0}\n", "taps: [a]\n"),
         2,
         "ports[0].device",
         "unknown driver",
         "did you mean 'net_null'?"},
        {"PairOfOne",
         ports_of("  - {name: a, device: net_null0}\n", "pairs: [[a]]\n"),
         3,
         "pairs[0]",
         "1 ports instead of two",
         "[lan, wan]"},
        {"PairIsFlat",
         ports_of(
             "  - {name: a, device: net_null0}\n  - {name: b, device: net_null1}\n",
             "pairs: [a, b]\n"),
         4,
         "pairs[0]",
         "not a list of two ports",
         "[lan, wan]"},
        {"PairWithItself",
         ports_of("  - {name: a, device: net_null0}\n", "pairs: [[a, a]]\n"),
         3,
         "pairs[0][1]",
         "with itself",
         "taps"},
        {"PairOfUnknown",
         kGood + "taps: [lam]\n",
         5,
         "taps[0]",
         "no port 'lam'",
         "did you mean 'lan'?"},
        {"PortInAPairAndATap",
         kGood + "taps: [wan]\n",
         5,
         "taps[0]",
         "'wan' is already pairs[0][1]",
         "use a port once"},
        {"PortInTwoPairs",
         ports_of(
             "  - {name: lan, device: net_null0}\n  - {name: wan, device: net_null1}\n" + kThird,
             "pairs: [[lan, wan], [lan, mon]]\n"),
         5,
         "pairs[1][0]",
         "'lan' is already pairs[0][0]",
         "use a port once"},
        {"PortTapTwice",
         ports_of("  - {name: a, device: net_null0}\n", "taps:\n  - a\n  - a\n"),
         5,
         "taps[1]",
         "already taps[0]",
         "use a port once"},
        {"PortUnused",
         ports_of("  - {name: lan, device: net_null0}\n" + kThird, "taps: [lan]\n"),
         3,
         "ports[1]",
         "'mon' is in no pair and no tap",
         "pairs or taps"},
        {"LcoreTwice",
         kGood + "workers: {lcores: [1, 2, 1]}\n",
         5,
         "workers.lcores[2]",
         "lcore 1 is listed twice",
         "once"},
        {"LcoreIsMain",
         kGood + "eal: {main_lcore: 3}\nworkers: {lcores: [1, 3]}\n",
         6,
         "workers.lcores[1]",
         "lcore 3 is eal.main_lcore (line 5)",
         "another CPU"},
        {"LcoreIsTheDefaultMain",
         kGood + "workers: {lcores: [0]}\n",
         5,
         "workers.lcores[0]",
         "is eal.main_lcore",
         "another CPU"},
        {"LcoresEmpty", kGood + "workers: {lcores: []}\n", 5, "workers.lcores", "no worker", "[1]"},
        {"LcoreOutOfRange",
         kGood + "workers: {lcores: [128]}\n",
         5,
         "workers.lcores[0]",
         "out of range",
         "0 to 127"},
        {"LcoreIsANumber",
         kGood + "workers: {lcores: 1}\n",
         5,
         "workers.lcores",
         "must be a list",
         "[ ... ]"},
    };
}

std::vector<Case> slot_cases() {
    return {
        {"FiveSlots",
         kGood +
             "slots: {anomaly: , qos: , a: {model: none}, b: {model: none}, c: {model: none}}\n",
         5,
         "slots",
         "5 slots",
         "at most 4"},
        {"NoSlot", kGood + "slots: {}\n", 5, "slots", "no slot", "anomaly"},
        {"SlotName",
         kGood + "slots: {\"a b\": {model: none}}\n",
         5,
         "slots.a b",
         "'a b' is not a name",
         "a-z"},
        {"OwnSlotWithoutModel",
         kGood + "slots:\n  mine:\n    hysteresis: 1\n",
         6,
         "slots.mine.model",
         "has no default model",
         "bundle file"},
        {"Score",
         kGood + "slots: {qos: {score: every_packets}}\n",
         5,
         "slots.qos.score",
         "'every_packets'",
         "did you mean 'every_packet'?"},
        {"ScoreWithoutNumber",
         kGood + "slots: {qos: {score: every_ms}}\n",
         5,
         "slots.qos.score",
         "needs a number",
         "{every_ms: 100}"},
        {"ScoreIsANumber",
         kGood + "slots: {qos: {score: 100}}\n",
         5,
         "slots.qos.score",
         "'100'",
         "every_packet"},
        {"ScoreRange",
         kGood + "slots: {qos: {score: {every_ms: 60001}}}\n",
         5,
         "slots.qos.score.every_ms",
         "out of range",
         "1 to 60000"},
        {"ScoreEmptyMap",
         kGood + "slots: {qos: {score: {}}}\n",
         5,
         "slots.qos.score",
         "no 'every_ms'",
         "{every_ms: N}"},
        {"ScoreList",
         kGood + "slots: {qos: {score: [1]}}\n",
         5,
         "slots.qos.score",
         "found a list",
         "powers_of_two"},
        {"Hysteresis",
         kGood + "slots: {qos: {hysteresis: 17}}\n",
         5,
         "slots.qos.hysteresis",
         "out of range",
         "1 to 16"},
        {"ModelMissing",
         kGood + "slots: {qos: {model_missing: dorp}}\n",
         5,
         "slots.qos.model_missing",
         "'dorp'",
         "did you mean 'drop'?"},
        {"RuleDscp",
         kGood + "slots: {qos: {rules: {oam: {dscp: AF14}}}}\n",
         5,
         "slots.qos.rules.oam.dscp",
         "'AF14' is no DSCP",
         "did you mean 'AF1"},
        {"RuleDscpNumber",
         kGood + "slots: {qos: {rules: {oam: {dscp: 64}}}}\n",
         5,
         "slots.qos.rules.oam.dscp",
         "'64' is no DSCP",
         "use 0 to 63"},
        {"RuleDscpCase",
         kGood + "slots: {qos: {rules: {oam: {dscp: ef}}}}\n",
         5,
         "slots.qos.rules.oam.dscp",
         "'ef' is no DSCP",
         "did you mean 'EF'?"},
        {"RuleContradicts",
         kGood + "slots:\n  qos:\n    rules:\n      oam:\n        action: drop\n        dscp: EF\n",
         10,
         "slots.qos.rules.oam.dscp",
         "contradicts 'action: drop'",
         "remove 'dscp'"},
        {"RulePassWithDscp",
         kGood + "slots: {qos: {rules: {oam: {action: pass, dscp: EF}}}}\n",
         5,
         "slots.qos.rules.oam.dscp",
         "contradicts 'action: pass'",
         "remove 'dscp'"},
        {"RuleMarkWithoutDscp",
         kGood + "slots: {qos: {rules: {oam: {action: mark}}}}\n",
         5,
         "slots.qos.rules.oam.action",
         "without a 'dscp'",
         "dscp: AF41"},
        {"RuleEmpty",
         kGood + "slots: {qos: {rules: {oam: {min_confidence: 0.5}}}}\n",
         5,
         "slots.qos.rules.oam",
         "neither 'action' nor 'dscp'",
         "remove the rule"},
        {"RuleIsAWord",
         kGood + "slots: {qos: {rules: {oam: EF}}}\n",
         5,
         "slots.qos.rules.oam",
         "must be a map",
         "key: value"},
        {"RuleConfidence",
         kGood + "slots: {anomaly: {rules: {flood: {action: drop, min_confidence: 90}}}}\n",
         5,
         "slots.anomaly.rules.flood.min_confidence",
         "'90' is out of range",
         "not a percentage"},
        {"RuleConfidenceNan",
         kGood + "slots: {anomaly: {rules: {flood: {action: drop, min_confidence: nan}}}}\n",
         5,
         "slots.anomaly.rules.flood.min_confidence",
         "out of range",
         "0 to 1"},
        {"RuleConfidenceWord",
         kGood + "slots: {anomaly: {rules: {flood: {action: drop, min_confidence: high}}}}\n",
         5,
         "slots.anomaly.rules.flood.min_confidence",
         "must be a number",
         "0.9"},
        {"NeverRemark",
         kGood + "never_remark: [CS6, CS9]\n",
         5,
         "never_remark[1]",
         "'CS9' is no DSCP",
         "did you mean 'CS"},
    };
}

class Refused : public testing::TestWithParam<Case> {};

TEST_P(Refused, NamesLineFieldAndFix) {
    const Case& one = GetParam();
    const auto loaded = load_text(one.text, "weir.yaml");
    ASSERT_FALSE(loaded) << one.text;
    const std::string where = one.line == 0 ? "weir.yaml" : "weir.yaml:" + std::to_string(one.line);
    std::string all;
    for (const Error& error : loaded.error()) {
        all += error.line() + "\n";
    }
    const bool found =
        std::any_of(loaded.error().begin(), loaded.error().end(), [&](const Error& error) {
            return error.where == where && error.field == one.field &&
                   error.what.find(one.what) != std::string::npos &&
                   error.fix.find(one.fix) != std::string::npos;
        });
    EXPECT_TRUE(found) << "wanted " << where << ": " << one.field << ": ..." << one.what
                       << "...; fix: ..." << one.fix << "\ngot\n"
                       << all;
}

std::string case_name(const testing::TestParamInfo<Case>& info) {
    return info.param.name;
}

INSTANTIATE_TEST_SUITE_P(Shape, Refused, testing::ValuesIn(shape_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Value, Refused, testing::ValuesIn(value_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Reference, Refused, testing::ValuesIn(reference_cases()), case_name);
INSTANTIATE_TEST_SUITE_P(Slot, Refused, testing::ValuesIn(slot_cases()), case_name);

TEST(RefusedWhole, EveryFindingAtOnceInTheFilesOrder) {
    const auto loaded = load_text(
        "eal: {memory_mb: 1}\n"
        "workers: {burst: x}\n"
        "ports: [{name: a, device: net_null0}]\n"
        "taps: [b]\n"
        "nonsense: 1\n",
        "weir.yaml");
    ASSERT_FALSE(loaded);
    std::vector<std::string> fields;
    for (const Error& error : loaded.error()) {
        fields.push_back(error.field);
    }
    EXPECT_EQ(
        fields,
        (std::vector<std::string>{
            "eal.memory_mb", "workers.burst", "ports[0]", "taps[0]", "nonsense"}));
}

TEST(RefusedWhole, TooManyPorts) {
    std::string text = "ports:\n";
    std::string taps = "taps: [";
    for (int i = 0; i < 33; ++i) {
        text +=
            "  - {name: p" + std::to_string(i) + ", device: net_null" + std::to_string(i) + "}\n";
        taps += (i == 0 ? "p" : ", p") + std::to_string(i);
    }
    const auto loaded = load_text(text + taps + "]\n", "weir.yaml");
    ASSERT_FALSE(loaded);
    ASSERT_EQ(loaded.error().size(), 1u);
    EXPECT_EQ(
        loaded.error().front().line(),
        "weir.yaml:1: ports: 33 ports; fix: one gateway takes at most 32");
}

TEST(RefusedWhole, TooManyRules) {
    std::string text = kGood + "slots:\n  qos:\n    rules:\n";
    for (int i = 0; i < 65; ++i) {
        text += "      c" + std::to_string(i) + ": {dscp: EF}\n";
    }
    const auto loaded = load_text(text, "weir.yaml");
    ASSERT_FALSE(loaded);
    EXPECT_EQ(
        loaded.error().front().line(),
        "weir.yaml:7: slots.qos.rules: 65 rules; fix: a slot has at most 64 classes");
}

}  // namespace
}  // namespace weir::config
