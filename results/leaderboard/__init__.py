"""The leaderboard: what stands on it, who ranks where, and its forms."""

from .board import Board, boards
from .board_csv import boards_csv
from .board_grid import board_grids
from .page import page
from .ranking import Ranking, rank

__all__ = ["Board", "Ranking", "board_grids", "boards", "boards_csv", "page", "rank"]
