"""The engine on a real kernel with emulated drives, real udev, UDisks2 and polkit: `make vm`, where
a virtual kiosk PC is (`KIOSK_VM`, the program that drives it). No part of `make test`."""
