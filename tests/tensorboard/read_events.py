#!/usr/bin/env python3
"""Asks TensorBoard itself what it shows of Quern's event files: a check for development, no part of `bazel test`.

    python3 -m venv VENV && VENV/bin/pip install tensorboard
    bazel build //cli:quern
    VENV/bin/python tests/tensorboard/read_events.py --quern bazel-bin/cli/quern

Trains a tiny model with `--report_to tensorboard`, kills it with SIGKILL twice on the way, resumes it, and starts a TensorBoard on the
folder for each of its two loaders (--load_fast=true: the data server, false: Python). The scalars that it answers with over HTTP must be
those of quern/metrics.jsonl: the same steps, each once, the same values as f32. A third TensorBoard runs from before the first kill to the
end, so it has seen the rows that a resumed run takes back. With `--folder F`, looks at a folder that is there instead of training.
"""
import argparse
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

TAGS = {"train/loss": "loss", "train/learning_rate": "learning_rate", "train/grad_norm": "grad_norm",
        "train/tokens_per_second": "tokens_per_second", "eval/loss": "eval_loss"}


def as_f32(value):
    return struct.unpack("f", struct.pack("f", value))[0]


class TensorBoard:
    def __init__(self, folder, fast):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = subprocess.Popen(
            [os.path.join(os.path.dirname(sys.executable), "tensorboard"), "--logdir", folder, "--port", str(self.port),
             f"--load_fast={str(fast).lower()}", "--reload_interval=1", "--samples_per_plugin=scalars=100000"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def get(self, path, **query):
        url = f"http://127.0.0.1:{self.port}/data/plugin/scalars/{path}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(url, timeout=10) as answer:
            return json.load(answer)

    def scalars(self):
        """{tag: [(step, value)]}; None while it is still starting."""
        try:
            runs = self.get("tags")
            return {tag: [(step, value) for _, step, value in self.get("scalars", run=run, tag=tag)]
                    for run, tags in runs.items() for tag in tags}
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return None

    def close(self):
        self.process.terminate()
        self.process.wait()


def expected(folder):
    with open(os.path.join(folder, "quern", "metrics.jsonl")) as file:
        rows = [json.loads(line) for line in file]
    return {tag: [(row["step"], as_f32(row[field])) for row in rows if row[field] is not None] for tag, field in TAGS.items()}


def agrees(name, board, folder, seconds=60):
    wanted, end = expected(folder), time.monotonic() + seconds
    while (shown := board.scalars()) != wanted and time.monotonic() < end:
        time.sleep(1)
    if shown == wanted:
        print(f"{name}: {len(wanted['train/loss'])} steps, {sum(len(points) for points in wanted.values())} scalars as in metrics.jsonl")
        return True
    for tag in sorted(set(wanted) | set(shown or {})):
        ours, theirs = wanted.get(tag, []), (shown or {}).get(tag, [])
        if ours != theirs:
            print(f"{name}: {tag}: {len(ours)} in metrics.jsonl, {len(theirs)} shown; steps {[p[0] for p in theirs][:100]}")
    return False


def train(quern, scratch):
    """A folder whose run was killed twice, and a TensorBoard that looked on."""
    for name, lines in (("train", 400), ("validation", 60)):
        with open(os.path.join(scratch, name + ".txt"), "w") as file:
            file.writelines(f"the mill grinds {i * 7919 % 1000} sacks of corn\n" for i in range(lines))
    folder = os.path.join(scratch, "run")
    command = [quern, "train", "--train_file", os.path.join(scratch, "train.txt"), "--validation_file",
               os.path.join(scratch, "validation.txt"), "--tokenizer", "byte", "--output_dir", folder, "--max_steps", "120",
               "--batch_size", "4", "--block_size", "64", "--save_steps", "25", "--eval_steps", "10", "--report_to", "tensorboard",
               "--resume_from_checkpoint", "auto", "--quiet"]
    metrics, board = os.path.join(folder, "quern", "metrics.jsonl"), TensorBoard(scratch, fast=True)
    for kill_at in (40, 90):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while not os.path.exists(metrics) or sum(1 for _ in open(metrics)) < kill_at:
            assert process.poll() is None, "training ended too early"
            time.sleep(0.01)
        board_saw = board.scalars() or {}
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"killed after {sum(1 for _ in open(metrics))} rows; TensorBoard had shown {len(board_saw.get('train/loss', []))}")
        time.sleep(3)  # and it reads the rows that the next run takes back
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder, board


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--quern", default="bazel-bin/cli/quern")
    parser.add_argument("--folder")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder, looking_on = (args.folder, None) if args.folder else train(os.path.abspath(args.quern), scratch)
        print("event files:", *sorted(os.listdir(os.path.join(folder, "quern", "tensorboard"))))
        boards = {"data server": TensorBoard(folder, fast=True), "Python": TensorBoard(folder, fast=False)}
        if looking_on is not None:
            boards["data server, from the start"] = looking_on
        good = [agrees(name, board, folder) for name, board in boards.items()]
        for board in boards.values():
            board.close()
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
