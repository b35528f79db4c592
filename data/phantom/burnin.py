"""What a technician leaves on the film: borders of the beam, a side marker, words."""

from __future__ import annotations

import cv2
import numpy as np

from .scanner import Scanner


def burn_in(image: np.ndarray, scanner: Scanner) -> np.ndarray:
    """`image` uint8 [S, S] with collimation, marker and text drawn into it (in place)."""
    size = image.shape[0]
    _collimate(image, scanner)
    bright = 255 if scanner.dense > 0.8 else 225
    scale = scanner.marker_scale * size / 256
    x = scanner.marker_place[0] * size
    # The marker says which side it lies on: the patient's left is the image's right.
    right = (scanner.marker == "L") == (scanner.marker_side > 0)
    x = size - x - 9 * scale if right else x
    y = scanner.marker_place[1] * size + 12 * scale
    _letters(image, scanner.marker, (x, y), 0.42 * scale, scanner.marker_tilt, bright)
    if scanner.text:
        _letters(image, scanner.text, (0.02 * size, 0.95 * size), 0.26 * size / 256, 0.0, bright)
    return image


def _collimate(image: np.ndarray, scanner: Scanner) -> None:
    size = image.shape[0]
    left, top, right, bottom = (max(edge, -0.3) for edge in scanner.collimation)
    if max(scanner.collimation) <= 0:
        return
    corners = np.array([(left, top), (1 - right, top), (1 - right, 1 - bottom), (left, 1 - bottom)])
    turn = np.deg2rad(scanner.collimation_tilt)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    corners = (corners - 0.5) @ rotation + 0.5
    open_field = np.zeros_like(image)
    cv2.fillPoly(open_field, [np.round(corners * size * 16).astype(np.int32)], (255,), cv2.LINE_AA, 4)
    border = np.uint8(255 * scanner.border)
    np.copyto(image, np.minimum(image, border), where=open_field < 128)


def _letters(image: np.ndarray, text: str, place: tuple[float, float], scale: float, tilt: float, bright: int) -> None:
    size = image.shape[0]
    # Drawn larger and averaged down: at 256 pixels letters are a few pixels high.
    zoom = 4
    (width, height), below = cv2.getTextSize(
        text, cv2.FONT_HERSHEY_SIMPLEX, scale * zoom, max(1, round(zoom * scale * 3))
    )
    pad = 4 * zoom
    plate = np.zeros((height + below + 2 * pad, width + 2 * pad), np.uint8)
    cv2.putText(
        plate,
        text,
        (pad, pad + height),
        cv2.FONT_HERSHEY_SIMPLEX,
        scale * zoom,
        (255,),
        max(1, round(zoom * scale * 3)),
    )
    if tilt:
        centre = (plate.shape[1] / 2, plate.shape[0] / 2)
        plate = cv2.warpAffine(plate, cv2.getRotationMatrix2D(centre, tilt, 1.0), plate.shape[::-1])
    small = cv2.resize(plate, None, fx=1 / zoom, fy=1 / zoom, interpolation=cv2.INTER_AREA)
    x, y = round(place[0]), round(place[1] - small.shape[0])
    x, y = max(0, min(x, size - 1)), max(0, min(y, size - 1))
    small = small[: size - y, : size - x].astype(np.float32) / 255
    patch = image[y : y + small.shape[0], x : x + small.shape[1]]
    patch[:] = np.round(patch + (np.maximum(bright, patch) - patch) * small).astype(np.uint8)
