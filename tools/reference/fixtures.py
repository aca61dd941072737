"""Makes the shared test pictures of Tests/Fixtures/pictures: small, lossless, the same every time.

Each picture has a reason: a long side that must be cropped, a tall one, a smooth one that shows
rounding, one with noise and edges, one grey, one with transparency, one smaller than any model's
input (so that it is enlarged, with an odd crop margin).
"""
import numpy as np
from PIL import Image

from golden import PICTURES


def gradient(width, height):
    y, x = np.mgrid[0:height, 0:width]
    return np.stack([x * 255 // (width - 1), y * 255 // (height - 1), (x * 3 + y * 5) % 256], -1)


def checker(width, height):
    y, x = np.mgrid[0:height, 0:width]
    odd = ((x // 5) + (y // 7)) % 2 == 1
    light, dark = np.array([250, 240, 40]), np.array([10, 30, 120])
    return np.where(odd[..., None], light, dark)


def photo(width, height):
    """Smooth blobs, hard-edged shapes and sensor-like noise."""
    random = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width]
    picture = np.full((height, width, 3), 90.0)
    for _ in range(9):
        cx, cy, radius = random.integers(0, width), random.integers(0, height), random.integers(10, 50)
        weight = np.clip(1 - ((x - cx) ** 2 + (y - cy) ** 2) / radius**2, 0, 1)[..., None]
        picture = picture * (1 - weight) + weight * random.integers(0, 256, 3)
    picture[height // 2 :, width // 3 : width // 2] = [200, 30, 40]
    picture[(x - y) % 41 == 0] = [245, 245, 245]
    return np.clip(picture + random.integers(-12, 13, picture.shape), 0, 255)


def grey(width, height):
    y, x = np.mgrid[0:height, 0:width]
    rings = (x - width // 2) ** 2 + (y - height // 2) ** 2
    return (rings // 3 + 2 * y) % 256


def rgba(width, height):
    y, x = np.mgrid[0:height, 0:width]
    colour = gradient(width, height)[..., ::-1]
    alpha = np.clip((x + y) * 255 // (width + height - 2), 0, 255)
    alpha = np.where((x - 40) ** 2 + (y - 40) ** 2 < 300, 0, alpha)
    return np.concatenate([colour, alpha[..., None]], -1)


def tiny(width, height):
    return np.random.default_rng(3).integers(0, 256, (height, width, 3))


def main():
    PICTURES.mkdir(parents=True, exist_ok=True)
    made = {
        "gradient_97x61": gradient(97, 61), "checker_64x200": checker(64, 200), "photo_160x120": photo(160, 120),
        "grey_50x70": grey(50, 70), "rgba_80x80": rgba(80, 80), "tiny_27x19": tiny(27, 19),
    }
    for name, values in made.items():
        Image.fromarray(values.astype(np.uint8)).save(PICTURES / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
