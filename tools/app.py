"""See in the browser what a network says of partly hidden photos.

``mmocc app`` is the same command.
"""

from mmocc.app.command import main

if __name__ == '__main__':
    main()
