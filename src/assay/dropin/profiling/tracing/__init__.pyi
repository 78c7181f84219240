from ...cProfile import Profile as Profile
from ...cProfile import label as label
from ...cProfile import main as main
from ...cProfile import run as run
from ...cProfile import runctx as runctx
