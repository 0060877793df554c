// SPDX-License-Identifier: BSD-3-Clause
// The search as one HTML page: nothing fetched and nothing run.
#include "control/lab/tune.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>
#include <utility>

namespace weir::lab {
namespace {

constexpr double kWidth = 720.0;
constexpr double kHeight = 420.0;
constexpr double kMargin = 60.0;

constexpr const char* kStyle =
    "body{font:15px/1.5 sans-serif;margin:2em auto;max-width:72em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #ccc;padding:.15em .5em;"
    "text-align:right}td:last-child,th:last-child{text-align:left;font-family:monospace}"
    "svg{max-width:100%;font-size:12px}.grid{stroke:#e4e4e4}.front{fill:none;stroke:#286ec8;"
    "stroke-width:1.8}circle{fill:#999}circle.best{fill:#286ec8}";

/// Places trials on the page: cost by its logarithm across, quality up.
class Axes {
  public:
    Axes(std::span<const TuneTrial> trials, const TuneOptions& options) : options_(options) {
        for (const TuneTrial& trial : trials) {
            const double x = place(trial);
            left_ = std::min(left_, x);
            right_ = std::max(right_, x);
            low_ = std::min(low_, trial.quality);
            high_ = std::max(high_, trial.quality);
        }
        right_ = std::max(right_, left_ + 0.1);
        high_ = std::max(high_, low_ + 1e-3);
    }
    [[nodiscard]] double x(double ns) const {
        return kMargin + (std::log10(ns) - left_) / (right_ - left_) * (kWidth - 2 * kMargin);
    }
    [[nodiscard]] double y(double quality) const {
        return kHeight - kMargin - (quality - low_) / (high_ - low_) * (kHeight - 2 * kMargin);
    }
    [[nodiscard]] double x(const TuneTrial& trial) const { return x(std::pow(10.0, place(trial))); }
    [[nodiscard]] double y(const TuneTrial& trial) const { return y(trial.quality); }
    [[nodiscard]] double across(double share) const {
        return std::pow(10.0, left_ + share * (right_ - left_));
    }
    [[nodiscard]] double up(double share) const { return low_ + share * (high_ - low_); }

  private:
    [[nodiscard]] double place(const TuneTrial& trial) const {
        return std::log10(std::max(cost_ns(trial, options_), 1e-3));
    }
    const TuneOptions& options_;
    double left_ = 1e9;
    double right_ = -1e9;
    double low_ = 1e9;
    double high_ = -1e9;
};

void draw(
    std::ostream& out,
    std::span<const TuneTrial> trials,
    const std::vector<std::size_t>& front,
    const char* quality,
    const TuneOptions& options) {
    const Axes axes(trials, options);
    out << "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 " << kWidth << ' ' << kHeight
        << "' role='img'>\n";
    for (const double share : {0.0, 0.25, 0.5, 0.75, 1.0}) {
        const double x = axes.x(axes.across(share));
        const double y = axes.y(axes.up(share));
        out << "<line class='grid' x1='" << x << "' x2='" << x << "' y1='" << kMargin << "' y2='"
            << kHeight - kMargin << "'/><text x='" << x << "' y='" << kHeight - kMargin + 18
            << "' text-anchor='middle'>" << std::setprecision(3) << axes.across(share)
            << "</text>\n<line class='grid' y1='" << y << "' y2='" << y << "' x1='" << kMargin
            << "' x2='" << kWidth - kMargin << "'/><text x='" << kMargin - 6 << "' y='" << y + 4
            << "' text-anchor='end'>" << axes.up(share) << "</text>\n";
    }
    out << "<text x='" << kWidth / 2 << "' y='" << kHeight - 12
        << "' text-anchor='middle'>ns a packet</text>\n<text x='" << kMargin << "' y='"
        << kMargin - 14 << "'>" << quality << ", held out by source</text>\n";
    out << std::setprecision(5) << "<polyline class='front' points='";
    for (const std::size_t at : front) {
        out << axes.x(trials[at]) << ',' << axes.y(trials[at]) << ' ';
    }
    out << "'/>\n";
    for (std::size_t i = 0; i < trials.size(); ++i) {
        const bool best = std::find(front.begin(), front.end(), i) != front.end();
        out << "<circle" << (best ? " class='best'" : "") << " r='4' cx='" << axes.x(trials[i])
            << "' cy='" << axes.y(trials[i]) << "'><title>" << trials[i].quality
            << "</title></circle>\n";
    }
    out << "</svg>\n";
}

/// Names of TuneTrial::quality and beside.
std::pair<const char*, const char*> names_of(const TuneOptions& options) {
    return options.slot == "anomaly" ? std::pair("ROC AUC", "TPR at FPR 1e-3")
                                     : std::pair("macro F1", "accuracy");
}

const char* cost_text(std::span<const TuneTrial> trials) {
    const bool measured = !trials.empty() && trials.front().ns_per_row > 0.0;
    return measured ? "rows as measured in blocks of 256, head included"
                    : "rows as the cost function predicts at 64 rows, without the head";
}

std::string last_packet(const TuneTrial& trial) {
    return trial.choice.last_packet == 0 ? "end" : std::to_string(trial.choice.last_packet);
}

}  // namespace

std::string tune_svg(std::span<const TuneTrial> trials, const TuneOptions& options) {
    std::ostringstream out;
    out << std::setprecision(5);
    draw(out, trials, pareto_front(trials, options), names_of(options).first, options);
    auto text = out.str();
    const auto end = text.find('>') + 1;  // a file of its own brings its style along
    return text.insert(
        end,
        "<style>text{font:12px sans-serif}.grid{stroke:#ccc}.front{fill:none;stroke:#286ec8;"
        "stroke-width:1.8}circle{fill:#999}circle.best{fill:#286ec8}</style>"
        "<rect width='720' height='420' fill='white'/>");
}

std::string tune_markdown(
    std::span<const TuneTrial> trials, const TuneOptions& options, const std::string& svg) {
    const auto [quality, beside] = names_of(options);
    std::ostringstream out;
    out << trials.size() << " trials, held out by source; " << cost_text(trials) << ".\n\n| "
        << quality << " | " << beside
        << " | ns a packet | ns a row | features' part | cycles predicted | up to packet | "
           "`weirlab train` |\n|---:|---:|---:|---:|---:|---:|---:|---|\n";
    out << std::fixed;
    for (const std::size_t at : pareto_front(trials, options)) {
        const TuneTrial& trial = trials[at];
        out << std::setprecision(4) << "| " << trial.quality << " | " << trial.beside << " | "
            << std::setprecision(1) << cost_ns(trial, options) << " | " << trial.ns_per_row << " | "
            << path_ns(trial, options) << " | " << trial.cycles_per_row << " | "
            << last_packet(trial) << " | `" << train_arguments(trial.choice, {}) << '`';
        for (std::size_t g = 0; g < trial.choice.left_out.size(); ++g) {
            out << (g == 0 ? " without group " : ", ") << trial.choice.left_out[g];
        }
        out << " |\n";
    }
    out << "\n![" << quality << " against cost](" << svg << ")\n";
    return out.str();
}

std::string tune_html(
    std::span<const TuneTrial> trials, const FeatureTable& table, const TuneOptions& options) {
    const auto [quality, beside] = names_of(options);
    const auto front = pareto_front(trials, options);
    std::ostringstream out;
    out << "<!doctype html>\n<html lang='en'><head><meta charset='utf-8'><title>" << options.slot
        << ": quality against cost</title><style>" << kStyle << "</style></head><body>\n<h1>"
        << options.slot << ": quality against cost</h1>\n<p>" << trials.size()
        << " trials; cycles as predicted for " << kernels::isa_name(options.isa) << "; "
        << cost_text(trials) << ".</p>\n";
    if (!trials.empty()) {
        draw(out, trials, front, quality, options);
    }
    out << "<table><tr><th>" << quality << "</th><th>" << beside
        << "</th><th>ns a packet</th><th>of them features</th><th>ns a row</th><th>cycles a row"
           "</th><th>rows a packet</th>"
           "<th>scored up to packet</th><th>weirlab train</th></tr>\n";
    for (const std::size_t at : front) {
        const TuneTrial& trial = trials[at];
        out << "<tr><td>" << trial.quality << "</td><td>" << trial.beside << "</td><td>"
            << cost_ns(trial, options) << "</td><td>" << path_ns(trial, options) << "</td><td>"
            << trial.ns_per_row << "</td><td>" << trial.cycles_per_row << "</td><td>"
            << trial.rows_per_packet << "</td><td>" << last_packet(trial) << "</td><td>"
            << train_arguments(trial.choice, table) << "</td></tr>\n";
    }
    out << "</table>\n</body></html>\n";
    return out.str();
}

}  // namespace weir::lab
