"""What does occlusion cost a model? ``--help`` says how it is asked.

``mmocc report`` is the same command.
"""

from mmocc.apis.report_command import main

if __name__ == '__main__':
    main()
