"""Weather and daylight: the colour of a surface by the sun's direction and by its distance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from hierseg.streets.camera import Points


@dataclass(frozen=True)
class Light:
    """The light of a scene.

    Attributes:
        weather: clear, fair, overcast, golden or dusk.
        sun: Unit vector (3,) towards the sun.
        direct: RGB factors of sunlight on a surface that faces the sun.
        ambient: RGB factors of the light that comes from everywhere.
        haze: RGB in 0..255 of the air in the distance.
        haze_distance: Metres after which 63% of a colour is haze.
        zenith: RGB of the sky overhead.
        clouds: Share of the sky that is clouded, 0..1.
        lamps: Whether windows and headlights are lit.
    """

    weather: str
    sun: Points
    direct: Points
    ambient: Points
    haze: Points
    haze_distance: float
    zenith: Points
    clouds: float
    lamps: bool

    @property
    def shadow_strength(self) -> float:
        """How much darker a shadow on the ground is than the ground around it, 0..1."""
        sunny = float(self.direct.mean() * self.sun[1])
        return sunny / (sunny + float(self.ambient.mean()))

    @property
    def shadow_reach(self) -> Points:
        """(X, Z) metres by which a point one metre up casts its shadow aside."""
        reach: Points = -self.sun[[0, 2]] / max(float(self.sun[1]), 0.35)
        return reach

    def factors(self, normals: Points) -> Points:
        """RGB factors (..., 3) for surfaces with unit normals (..., 3)."""
        facing = np.maximum(normals @ self.sun, 0.0)[..., None]
        open_sky = (0.86 + 0.14 * normals[..., 1])[..., None]
        return self.ambient * open_sky + self.direct * facing

    def shade(self, colors: Any, normals: Points) -> Points:
        """Colours (..., 3) as the light makes them look; a little above 255 in bright sun."""
        result: Points = np.asarray(colors, float) * self.factors(normals)
        return result

    def haze_share(self, distance: Any) -> Any:
        """Share of haze in a colour seen over a distance in metres (a number or an array)."""
        return 1.0 - np.exp(-np.asarray(distance) / self.haze_distance)

    def tint(self, colors: Points, distance: float) -> Points:
        """Colours (..., 3) seen over a distance in metres."""
        share = float(self.haze_share(distance))
        result: Points = colors * (1 - share) + self.haze * share
        return result


# weather: (probability, ambient, direct, haze colour, haze distance, zenith, clouds)
_WEATHER: dict[str, tuple[float, Any, Any, Any, float, Any, tuple[float, float]]] = {
    "clear": (0.26, (0.50, 0.54, 0.62), (0.68, 0.64, 0.54), (190, 207, 226), 520,
              (66, 118, 190), (0.0, 0.25)),
    "fair": (0.28, (0.56, 0.59, 0.64), (0.56, 0.53, 0.46), (205, 214, 224), 420,
             (88, 132, 190), (0.3, 0.65)),
    "overcast": (0.24, (0.83, 0.85, 0.88), (0.10, 0.10, 0.09), (206, 210, 214), 260,
                 (168, 176, 186), (0.8, 1.0)),
    "golden": (0.14, (0.56, 0.54, 0.56), (0.66, 0.53, 0.36), (232, 208, 178), 340,
               (104, 136, 182), (0.1, 0.6)),
    "dusk": (0.08, (0.55, 0.57, 0.66), (0.10, 0.07, 0.05), (164, 156, 166), 300,
             (58, 76, 122), (0.1, 0.7)),
}  # fmt: skip


def draw_light(rng: np.random.Generator) -> Light:
    """Weather, time of day and the sun's place."""
    names = list(_WEATHER)
    odds = np.array([_WEATHER[name][0] for name in names])
    weather = names[rng.choice(len(names), p=odds / odds.sum())]
    _, ambient, direct, haze, distance, zenith, clouds = _WEATHER[weather]
    low = weather in ("golden", "dusk")
    elevation = np.radians(rng.uniform(18, 30) if low else rng.uniform(30, 62))
    azimuth = rng.uniform(0, 2 * np.pi)
    sun = np.array(
        [
            np.cos(elevation) * np.sin(azimuth),
            np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ]
    )
    cast = np.clip(rng.normal(1.0, 0.02, 3), 0.95, 1.05)
    sunlight, skylight = np.array(direct) * rng.uniform(0.85, 1.1), np.array(ambient) * cast
    # A camera's automatic exposure: what lies flat comes out about equally bright in any weather.
    aim = rng.uniform(0.72, 0.85) if weather == "dusk" else rng.uniform(0.98, 1.18)
    gain = (aim / float((skylight + sunlight * sun[1]).mean())) ** 0.85
    return Light(
        weather=weather,
        sun=sun,
        direct=sunlight * gain,
        ambient=skylight * gain,
        haze=np.clip(np.array(haze, float) * cast * rng.uniform(0.95, 1.06), 0, 255),
        haze_distance=distance * rng.uniform(0.6, 1.6),
        zenith=np.clip(np.array(zenith, float) * cast * rng.uniform(0.88, 1.12), 0, 255),
        clouds=float(rng.uniform(*clouds)),
        lamps=weather == "dusk" or bool(rng.random() < 0.12),
    )
