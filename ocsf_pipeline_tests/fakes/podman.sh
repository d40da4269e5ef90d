#!/bin/sh
# podman-compose asks for the engine's version even when it only reads a file.
echo "podman version 5.4.0"
