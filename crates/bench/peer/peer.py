"""Nearly the same job as the engine's, in Python: what a person would write with ready packages.

    peer.py THREADS NETWORK.onnx UPLOAD.jpg OUT.jpg

Cuts a fixed part out of the upload, runs the network once, solves a closed-form matte, estimates the
foreground, smooths, lifts local contrast and pastes before grey. It finds no face, judges nothing,
frames nothing and lights nothing. Each line "photo" on standard input runs it once and answers with
wall and user processor time; "peak" answers with the peak of the resident memory.
"""

import json
import os
import resource
import sys
import time

import cv2
import numpy as np
import onnxruntime
from PIL import Image
from pymatting import estimate_alpha_cf, estimate_foreground_ml

THREADS, NETWORK, UPLOAD, OUT = int(sys.argv[1]), *sys.argv[2:5]
WIDTH, HEIGHT = 1024, 1280
BOX = (604, 0, 604 + 2154, 2693)

cv2.setNumThreads(THREADS)
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = THREADS
session = onnxruntime.InferenceSession(NETWORK, options)
backdrop = np.full((HEIGHT, WIDTH, 3), (150, 155, 160), np.uint8)


def saliency(image):
    pixels = np.asarray(image.resize((320, 320), Image.LANCZOS)).astype(np.float32)
    pixels = pixels / max(pixels.max(), 1e-6)
    pixels = ((pixels - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]).astype(np.float32)
    first = session.get_outputs()[0].name
    given = {session.get_inputs()[0].name: pixels.transpose(2, 0, 1)[None]}
    mask = session.run([first], given)[0][0, 0]
    return (mask - mask.min()) / (mask.max() - mask.min())


def photo():
    image = Image.open(UPLOAD).convert("RGB")
    framed = image.crop(BOX).resize((WIDTH, HEIGHT), Image.LANCZOS)
    mask = cv2.resize(saliency(framed), (WIDTH // 2, HEIGHT // 2)).astype(np.float64)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9))
    trimap = np.full(mask.shape, 0.5)
    trimap[cv2.erode((mask > 0.94).astype(np.uint8), kernel) > 0] = 1
    trimap[cv2.erode((mask < 0.04).astype(np.uint8), kernel) > 0] = 0
    small = np.asarray(framed.resize((WIDTH // 2, HEIGHT // 2), Image.LANCZOS)) / 255
    alpha = estimate_alpha_cf(small.astype(np.float64), trimap)
    alpha = cv2.resize(alpha, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    foreground = estimate_foreground_ml(np.asarray(framed).astype(np.float64) / 255, alpha)
    person = (foreground * 255).astype(np.uint8)
    person = cv2.addWeighted(person, 0.6, cv2.bilateralFilter(person, 9, 25, 9), 0.4, 0)
    lab = cv2.cvtColor(person, cv2.COLOR_RGB2LAB)
    lab[..., 0] = cv2.createCLAHE(1.2, (8, 8)).apply(lab[..., 0])
    person = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB).astype(np.float64)
    mixed = person * alpha[..., None] + backdrop * (1 - alpha[..., None])
    Image.fromarray(mixed.astype(np.uint8)).save(OUT, quality=92)


for line in sys.stdin:
    if line.strip() == "peak":
        kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = {"peak_mib": kib / 1024}
    else:
        started, before = time.perf_counter(), os.times().user
        photo()
        wall, cpu = time.perf_counter() - started, os.times().user - before
        answer = {"wall_ms": wall * 1e3, "cpu_ms": cpu * 1e3}
    print(json.dumps(answer), flush=True)
