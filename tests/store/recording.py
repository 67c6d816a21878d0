"""The file layer with a witness: what was done, in which order; and what shall go wrong."""

from __future__ import annotations

import os
import threading

from mailsuite.durable.files import Files
from mailsuite.store.maildir.replacing import ReplacingFiles


class RecordingFiles(ReplacingFiles):
    """Does the real thing, and notes (operation, base name) when it has returned.

    ``fail(n, error)`` makes the n-th operation from now raise instead; ``hold`` names an operation before
    which the thread waits until release().
    """

    def __init__(self, root):
        self.root = str(root)
        self.done = []
        self.paths = {}
        self.countdown = None
        self.error = None
        self.after_effect = False
        self.hold = None
        self.held = threading.Event()
        self.go_on = threading.Event()

    def fail(self, number, error, after_effect=False):
        self.countdown, self.error, self.after_effect = number, error, after_effect

    def release(self):
        self.hold = None
        self.go_on.set()

    def _do(self, operation, path, act):
        if self.hold == operation:
            self.held.set()
            assert self.go_on.wait(30)
        failing = False
        if self.countdown is not None:
            failing = self.countdown == 0
            self.countdown = None if failing else self.countdown - 1
        if failing and not self.after_effect:
            self.done.append((operation + " failed", self._short(path)))
            raise self.error
        result = act()
        if failing:
            raise self.error
        self.done.append((operation, self._short(path)))
        return result

    def _short(self, path):
        """Below the root, without the part of the name that differs from run to run."""
        path = os.path.relpath(path, self.root)
        directory, name = os.path.split(path)
        return f"{directory}/*" if ".R" in name else path

    def operations(self, *kinds):
        return [entry for entry in self.done if entry[0] in kinds]

    def create(self, path):
        descriptor = self._do("create", path, lambda: Files.create(self, path))
        self.paths[descriptor] = path
        return descriptor

    def write(self, descriptor, data):
        self._do("write", self.paths[descriptor], lambda: Files.write(self, descriptor, data))

    def sync(self, descriptor):
        self._do("sync", self.paths[descriptor], lambda: Files.sync(self, descriptor))

    def close(self, descriptor):
        def act():
            self.paths.pop(descriptor)
            Files.close(self, descriptor)

        try:
            self._do("close", self.paths[descriptor], act)
        except OSError:
            if descriptor in self.paths:  # close(2) frees the descriptor whatever it answers
                act()
            raise

    def move(self, source, target):
        self._do("move", source, lambda: Files.move(self, source, target))

    def publish(self, source, target):
        self._do("move", source, lambda: Files.publish(self, source, target))

    def sync_directory(self, path):
        self._do("sync_directory", path, lambda: Files.sync_directory(self, path))

    def unlink(self, path):
        self._do("unlink", path, lambda: Files.unlink(self, path))

    def make_directory(self, path):
        self._do("make_directory", path, lambda: Files.make_directory(self, path))

    def replace(self, source, target):
        self._do("replace", target, lambda: ReplacingFiles.replace(self, source, target))
