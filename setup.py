# Copyright 2026 The r2rgen_ros authors
# SPDX-License-Identifier: Apache-2.0
"""Builds r2rgen_ros as an ament_python package (colcon) and as a plain Python package (pip)."""

from __future__ import annotations

from glob import glob

from setuptools import find_packages, setup

PACKAGE = 'r2rgen_ros'
SHARE = f'share/{PACKAGE}'

NODES = ('recorder', 'annotator', 'generator', 'virtual_robot')

# What stays out of the core is what only one verb, or what is asked for by name, needs.
EXTRAS = {
    'view': ['rerun-sdk'],
    'ui': ['viser'],
    'exchange': ['zarr'],
    'plan': ['ompl'],
    'simulate': ['mujoco', 'example-robot-data'],
    'ray': ['ray'],
    'dev': [
        'hypothesis',
        'mypy',
        'pip',
        'playwright',
        'pytest',
        'pytest-timeout',
        'pytest-xdist',
        'ruff',
        'scikit-learn',
        'scipy-stubs',
        'setuptools',
        'types-PyYAML',
        'wheel',
    ],
}

setup(
    name=PACKAGE,
    version='0.1.0',
    description='Generates many rosbag2 demonstrations from one recorded demonstration',
    long_description=open('README.md', encoding='utf-8').read(),
    long_description_content_type='text/markdown',
    author='The r2rgen_ros authors',
    maintainer='The r2rgen_ros authors',
    maintainer_email='r2rgen_ros@example.org',
    license='Apache-2.0',
    keywords=['ROS', 'rosbag2', 'imitation learning', 'data generation', 'point cloud'],
    classifiers=[
        'Intended Audience :: Science/Research',
        'Operating System :: POSIX :: Linux',
        'Programming Language :: Python :: 3',
        'Topic :: Scientific/Engineering',
    ],
    packages=find_packages(include=[PACKAGE, f'{PACKAGE}.*']),
    package_data={
        PACKAGE: [
            'py.typed',
            'nodes/fastdds.xml',
            'robots/presets/*.yaml',
            'robots/cameras/*.yaml',
            'sense/noises/*.yaml',
        ]
    },
    data_files=[
        ('share/ament_index/resource_index/packages', [f'resource/{PACKAGE}']),
        (SHARE, ['package.xml']),
        (f'{SHARE}/launch', sorted(glob('launch/*.launch.py'))),
        (f'{SHARE}/config', [*sorted(glob('config/*.yaml')), f'{PACKAGE}/nodes/fastdds.xml']),
        (f'{SHARE}/config/cameras', sorted(glob('config/cameras/*.yaml'))),
        (f'{SHARE}/config/robots', sorted(glob('config/robots/*.yaml'))),
        (f'{SHARE}/rviz', sorted(glob('rviz/*.rviz'))),
    ],
    python_requires='>=3.10',
    install_requires=[
        'matplotlib',
        'numba',
        'numpy',
        'pillow',
        'pin',
        'pycollada',
        'pytransform3d',
        'pyyaml',
        'rich',
        'rosbags>=0.11,<0.12',
        'scipy',
        'setuptools',
        'trimesh',
    ],
    extras_require=EXTRAS,
    zip_safe=True,
    entry_points={
        'console_scripts': [
            'r2rgen = r2rgen_ros.cli.main:main',
            *(f'{node} = {PACKAGE}.nodes.{node}:main' for node in NODES),
        ],
        'ros2cli.command': ['r2rgen = r2rgen_ros.cli.ros2:R2RGenCommand'],
    },
)
