// The page, as a browser shows it: a headless Chromium types, clicks and reads. Skipped, saying so, where there is
// none. It is spoken to through two pipes by the DevTools protocol, messages of JSON that end in NUL
// (https://chromedevtools.github.io/devtools-protocol).
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/json.h"
#include "gtest/gtest.h"
#include "serve/http_service.h"
#include "serve/testing.h"

namespace quern {
namespace {

std::string FindChromium() {
  for (const char* path : {"/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"}) {
    if (access(path, X_OK) == 0) return path;
  }
  return "";
}

class Browser {
 public:
  explicit Browser(const std::string& program) {
    int to[2], from[2];
    EXPECT_TRUE(pipe2(to, O_CLOEXEC) == 0 && pipe2(from, O_CLOEXEC) == 0);
    const std::string profile = absl::StrCat("--user-data-dir=", testing::TempDir(), "/chromium");
    process_ = fork();
    if (process_ == 0) {
      // Its ends are moved out of the way of 3 and 4, where it expects them, first.
      int in = fcntl(to[0], F_DUPFD, 10), out = fcntl(from[1], F_DUPFD, 10);
      int nothing = open("/dev/null", O_RDWR);
      dup2(nothing, 1);
      dup2(nothing, 2);
      dup2(in, 3);
      dup2(out, 4);
      execl(program.c_str(), program.c_str(), "--headless=new", "--no-sandbox", "--disable-gpu",
            "--disable-dev-shm-usage", "--no-first-run", "--remote-debugging-pipe", profile.c_str(), "about:blank",
            nullptr);
      _exit(127);
    }
    close(to[0]);
    close(from[1]);
    in_ = to[1];
    out_ = from[0];
  }
  ~Browser() {
    Call("Browser.close", Json::object(), 5);
    close(in_);
    close(out_);
    kill(process_, SIGKILL);
    waitpid(process_, nullptr, 0);
  }

  // A page at `url`; what it logs and asks for is kept in `events`.
  bool Open(const std::string& url) {
    session_.clear();
    events.clear();
    Json target = Call("Target.createTarget", {{"url", "about:blank"}});
    if (!target.contains("targetId")) return false;
    Json attached = Call("Target.attachToTarget", {{"targetId", target["targetId"]}, {"flatten", true}});
    if (!attached.contains("sessionId")) return false;
    session_ = attached["sessionId"];
    for (const char* domain : {"Page", "Runtime", "Log", "Network"}) Call(absl::StrCat(domain, ".enable"));
    Call("Page.navigate", {{"url", url}});
    return Until("document.readyState === 'complete'");
  }

  Json Evaluate(const std::string& expression) {
    return Call("Runtime.evaluate", {{"expression", expression}, {"returnByValue", true}})["result"]["value"];
  }
  std::string Text(const std::string& id) {
    Json text = Evaluate(absl::StrCat("document.getElementById('", id, "').textContent"));
    return text.is_string() ? text.get<std::string>() : "(no text)";
  }
  bool Until(const std::string& condition, double seconds = 30) {
    for (double end = MonotonicSeconds() + seconds; MonotonicSeconds() < end;) {
      if (Evaluate(condition) == true) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  void Type(const std::string& text) { Call("Input.insertText", {{"text", text}}); }
  void Press(const std::string& key, int code, int modifiers = 0) {
    for (const char* type : {"rawKeyDown", "keyUp"}) {
      Call("Input.dispatchKeyEvent",
           {{"type", type}, {"key", key}, {"windowsVirtualKeyCode", code}, {"modifiers", modifiers}});
    }
  }

  // What the page logged, threw, or asked of anybody but `url`.
  std::vector<std::string> Complaints(const std::string& url) {
    Evaluate("1");  // whatever was on its way has arrived
    std::vector<std::string> complaints;
    for (const Json& event : events) {
      const std::string method = event["method"];
      if (method == "Log.entryAdded" || method == "Runtime.exceptionThrown" || method == "Runtime.consoleAPICalled") {
        complaints.push_back(event.dump());
      } else if (method == "Network.requestWillBeSent") {
        const std::string asked = event["params"]["request"]["url"];
        if (asked.rfind(url, 0) != 0) complaints.push_back(asked);
      }
    }
    return complaints;
  }

  std::vector<Json> events;

 private:
  Json Call(const std::string& method, const Json& params = Json::object(), double seconds = 60) {
    Json message = {{"id", ++calls_}, {"method", method}, {"params", params}};
    if (!session_.empty() && method.rfind("Browser.", 0) != 0) message["sessionId"] = session_;
    const std::string bytes = message.dump() + '\0';
    if (write(in_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) return Json::object();
    for (double end = MonotonicSeconds() + seconds; MonotonicSeconds() < end;) {
      Json reply = Next(end);
      if (reply.is_null()) break;
      if (!reply.contains("id")) {
        events.push_back(std::move(reply));
      } else if (reply["id"] == calls_) {
        return reply.contains("result") ? reply["result"] : Json::object();
      }
    }
    return Json::object();
  }

  Json Next(double deadline) {
    size_t end = 0;
    while ((end = received_.find('\0')) == std::string::npos) {
      pollfd wait = {out_, POLLIN, 0};
      if (MonotonicSeconds() > deadline) return nullptr;
      if (poll(&wait, 1, 100) <= 0) continue;
      char bytes[65536];
      ssize_t count = read(out_, bytes, sizeof(bytes));
      if (count <= 0) return nullptr;
      received_.append(bytes, static_cast<size_t>(count));
    }
    auto json = ParseJson(received_.substr(0, end), "the browser");
    received_.erase(0, end + 1);
    return json.ok() ? *json : Json::object();
  }

  pid_t process_ = -1;
  int in_ = -1, out_ = -1, calls_ = 0;
  std::string received_, session_;
};

constexpr int kEnter = 13, kEscape = 27, kControl = 2;

class PageTest : public testing::Test {
 protected:
  static void TearDownTestSuite() { delete std::exchange(browser_, nullptr); }

  void SetUp() override {
    const std::string chromium = FindChromium();
    if (chromium.empty()) GTEST_SKIP() << "there is no Chromium on this machine";
    if (browser_ == nullptr) browser_ = new Browser(chromium);
  }

  void Open(const std::string& verdict, const FakeEngineOptions& fake) {
    ServeOptions options;
    options.port = 0;
    ServedModel model;
    model.name = "tiny";
    model.sha256 = std::string(64, 'a');
    model.verdict = verdict;
    if (verdict != "PASSED") model.verdict_reason = "it has no verdict";
    auto engine = std::make_unique<FakeEngine>(fake);
    fake_ = engine.get();
    auto server = HttpService::Start(
        options, model, [&](ServedModel&) -> absl::StatusOr<std::unique_ptr<Engine>> { return std::move(engine); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = std::move(*server);
    ASSERT_TRUE(browser_->Open(server_->url()));
    ASSERT_TRUE(browser_->Until("document.getElementById('model-name').textContent === 'tiny'"));
  }

  static Browser* browser_;
  FakeEngine* fake_ = nullptr;
  std::unique_ptr<HttpService> server_;
};
Browser* PageTest::browser_ = nullptr;

TEST_F(PageTest, StreamsAnAnswerAndShowsSpeedModelAndVerdict) {
  FakeEngineOptions fake;
  fake.step_seconds = 0.02;
  Open("PASSED", fake);
  EXPECT_EQ(browser_->Text("model-sha"), "aaaaaaaaaaaa…");
  EXPECT_EQ(browser_->Text("verdict"), "PASSED");
  EXPECT_EQ(browser_->Evaluate("document.getElementById('warning').hidden"), true);
  browser_->Type("Once <b>upon</b>");  // the prompt has the focus
  browser_->Press("Enter", kEnter, kControl);
  ASSERT_TRUE(browser_->Until("document.getElementById('text').textContent.startsWith('0 1 2 ')"));
  EXPECT_EQ(browser_->Evaluate("document.getElementById('stop-button').disabled"), false) << "all came at once";
  ASSERT_TRUE(browser_->Until("!document.getElementById('go').disabled"));
  EXPECT_EQ(browser_->Text("echo"), "Once <b>upon</b>");
  const std::string text = browser_->Text("text");
  EXPECT_EQ(text.substr(text.size() - 9), " 126 127 ");
  EXPECT_EQ(browser_->Text("tokens"), "128");
  EXPECT_GT(std::atof(browser_->Text("speed").c_str()), 1);
  EXPECT_NE(browser_->Evaluate("document.getElementById('trace-line').getAttribute('points')"), "");
  EXPECT_EQ(browser_->Complaints(server_->url()), std::vector<std::string>());
}

TEST_F(PageTest, EscapeStopsTheServerToo) {
  FakeEngineOptions fake;
  fake.step_seconds = 0.05;
  Open("PASSED", fake);
  browser_->Type("abc");
  browser_->Press("Enter", kEnter, kControl);
  ASSERT_TRUE(browser_->Until("document.getElementById('text').textContent !== ''"));
  browser_->Press("Escape", kEscape);
  EXPECT_TRUE(browser_->Until("document.getElementById('status').textContent === 'Stopped.'"));
  for (int i = 0; i < 1000 && fake_->cancelled() == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  EXPECT_EQ(fake_->cancelled(), 1);
  EXPECT_EQ(browser_->Evaluate("document.getElementById('go').disabled"), false);
}

TEST_F(PageTest, SaysWhatIsWrong) {
  Open("UNVERIFIED", {});
  EXPECT_EQ(browser_->Text("verdict"), "UNVERIFIED");
  EXPECT_NE(browser_->Text("warning").find("it has no verdict"), std::string::npos);
  browser_->Type("refuse");
  browser_->Press("Enter", kEnter, kControl);
  EXPECT_TRUE(browser_->Until("document.getElementById('error').textContent === 'prompt: refused'"));
  browser_->Evaluate("document.getElementById('prompt').value = 'boom'");
  browser_->Press("Enter", kEnter, kControl);
  EXPECT_TRUE(browser_->Until("document.getElementById('error').textContent.startsWith('The server failed')"));
  EXPECT_EQ(browser_->Text("text"), "0 1 ");
  server_.reset();
  browser_->Press("Enter", kEnter, kControl);
  EXPECT_TRUE(browser_->Until("document.getElementById('error').textContent.startsWith('The server did not answer')"));
}

}  // namespace
}  // namespace quern
